"""Do a client's id and secret work? Asked with a code that no provider ever issued, so no user is needed."""

from __future__ import annotations

import base64
from enum import StrEnum
from urllib.parse import quote

from vre_operator.targets.oidc.http import IssuerHttp
from vre_operator.targets.oidc.model import ClientSpec, Provider

_BOGUS_CODE = "vre-operator-probe"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Verdict(StrEnum):
    GOOD = "good"
    WRONG_SECRET = "wrong-secret"  # noqa: S105  the provider knows the client and refuses the secret (Keycloak)
    REFUSED = "refused"  # unknown client, disabled client or wrong secret
    UNKNOWN = "unknown"  # no grant to ask with, or an answer that tells nothing


async def probe(http: IssuerHttp, spec: ClientSpec, client_id: str, secret: str) -> Verdict:
    """Ask the token endpoint. Each refusal is an event in the provider's audit log: ask rarely."""
    if not http.owns(spec.token_endpoint):
        return Verdict.UNKNOWN
    if spec.provider is Provider.OA4MP:
        # a code that is none of its own it answers with 500; what this lacks it looks for after the secret
        form = {"grant_type": _DEVICE}
    elif "authorization_code" in spec.grant_types and spec.redirect_uris:
        form = {"grant_type": "authorization_code", "code": _BOGUS_CODE, "redirect_uri": spec.redirect_uris[0]}
    elif "client_credentials" in spec.grant_types:
        form = {"grant_type": "client_credentials"}
    else:
        return Verdict.UNKNOWN
    basic = ""
    if spec.token_endpoint_auth_method == "client_secret_basic":  # noqa: S105
        basic = basic_credentials(client_id, secret)
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    answer = await http.request("POST", spec.token_endpoint, form=form, basic=basic)
    judge = _verdict_of_oa4mp if spec.provider is Provider.OA4MP else _verdict
    return judge(answer.status, answer.text("error"))


def _verdict(status: int, error: str) -> Verdict:
    match status, error:
        case (200, _) | (400, "invalid_grant"):
            return Verdict.GOOD
        case 401, "unauthorized_client":
            return Verdict.WRONG_SECRET
        case (401, _) | (400, "invalid_client"):
            return Verdict.REFUSED
        case _:
            return Verdict.UNKNOWN


def _verdict_of_oa4mp(status: int, error: str) -> Verdict:
    """From its source (OA2ATServlet, ClientUtils); a client that is unknown it refuses in text, not in JSON."""
    match status, error:
        case (400, "unauthorized_client"):
            return Verdict.WRONG_SECRET
        case (400 | 401, "access_denied" | "request_not_supported"):
            return Verdict.GOOD
        case _:
            return Verdict.UNKNOWN


def basic_credentials(client_id: str, secret: str) -> str:
    """The value of an Authorization header, as RFC 6749 section 2.3.1 wants it."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return base64.b64encode(pair.encode()).decode()
