"""Was a client entered at its provider as status.registration says? Asked as a browser asks, without a person.

With prompt=none a provider shows no page (OpenID Connect Core, section 3.1.2.1): where client, redirect URI and
scopes are right it sends the browser back to us with login_required. A redirect URI that it does not know it
may not use, so it answers 400 itself (RFC 6749, section 4.1.2.1); what else is wrong it tells in the redirect.
Seen at Keycloak 26.7 and oidc-provider 9.13; an answer that is not among these tells nothing.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from vre_operator.api.conditions import Reason
from vre_operator.targets.oidc.http import IssuerHttp
from vre_operator.targets.oidc.model import NO_PROBLEM, ClientSpec, Problem

_NOT_ALLOWED = {
    "invalid_scope": ("the scopes {scopes}", "{scopes}"),
    "unauthorized_client": ("the grant authorization_code", "authorization_code"),
    "unsupported_response_type": ("the response type code", "authorization_code"),
}
# what the hash of no verifier is, so that no login could come of it
_CHALLENGE = {"code_challenge": "A" * 43, "code_challenge_method": "S256"}


async def check(http: IssuerHttp, spec: ClientSpec, client_id: str) -> Problem:
    """For a client whose id and secret are right. Raises Unavailable, Throttled."""
    url, grants = spec.authorization_endpoint, spec.grant_types
    if "authorization_code" not in grants or not spec.redirect_uris or not http.owns(url):
        return NO_PROBLEM
    for uri in spec.redirect_uris:
        answer = await http.page(
            url,
            {
                "client_id": client_id,
                "redirect_uri": uri,
                "response_type": "code",
                "scope": " ".join(spec.scopes),
                "state": "vre-operator-probe",
                "nonce": "vre-operator-probe",
                "prompt": "none",
                **(_CHALLENGE if spec.pkce else {}),
            },
        )
        if answer.status == 400:
            return _told(spec, client_id, f"the redirect URI {uri}", uri)
        what = _NOT_ALLOWED.get(_error(answer.location, uri))
        if what:
            told, enter = (text.format(scopes=" ".join(spec.scopes)) for text in what)
            return _told(spec, client_id, told, enter)
    return NO_PROBLEM


def _error(location: str, uri: str) -> str:
    """The error in a redirect to us; "" for any other."""
    if location.partition("?")[0] != uri:
        return ""
    return parse_qs(urlsplit(location).query).get("error", [""])[0]


def _told(spec: ClientSpec, client_id: str, what: str, enter: str) -> Problem:
    return (
        Reason.PROBE_FAILED.value,
        f"{spec.issuer} does not take {what} of client {client_id}, so nobody can log in. Enter there {enter},"
        " as status.registration says; it is tried again by itself.",
    )
