"""Kind Issuer: the provider's discovery document, fetched now and then and kept while the provider is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid, Throttled, Unavailable
from vre_operator.engine.target import Observation
from vre_operator.targets.fresh import Fresh
from vre_operator.targets.oidc.http import IssuerHttp

_REFRESH = 600.0

_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "registration_endpoint", "end_session_endpoint")

Connect = Callable[[str, str, tuple[str, ...]], IssuerHttp]


class Issuers:
    """The documents by issuer; tenants of the same issuer share one."""

    def __init__(self, connect: Connect, clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._known: dict[tuple[str, str, tuple[str, ...]], Fresh] = {}

    async def observe(self, body: Mapping[str, Any]) -> Observation:
        """The endpoints as outputs. Raises while none are known; later a failing refresh shows in readiness."""
        key = (body["issuer"], body.get("ca_bundle", ""), tuple(body.get("allowed_cidrs", ())))
        known = self._known.setdefault(key, Fresh(self._clock, _REFRESH))
        return await known.observe(lambda: self._ask(*key))

    async def _ask(self, issuer: str, ca_bundle: str, allowed_cidrs: tuple[str, ...]) -> dict[str, str]:
        try:
            return await _fetch(self._connect(issuer, ca_bundle, allowed_cidrs), issuer)
        except (Unavailable, Throttled) as error:
            raise _unreachable(issuer, error.message, error.retry_after) from None


async def _fetch(http: IssuerHttp, issuer: str) -> dict[str, str]:
    answer = await http.request("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if answer.status != 200:
        raise _unreachable(issuer, f"the provider answers {answer.status} for its discovery document")
    named = answer.text("issuer")
    if named != issuer:
        raise Invalid(
            f"spec.identity.issuer is {issuer}, but the provider calls itself {named[:200] or 'nothing'}",
            remedy="Copy the provider's spelling into spec.identity.issuer, slash for slash.",
            reason=Reason.ISSUER_MISMATCH,
        )
    outputs = {"issuer": issuer, **{name: answer.text(name) for name in (*_REQUIRED, *_OPTIONAL)}}
    missing = [name for name in _REQUIRED if not outputs[name].startswith("https://")]
    if missing:
        raise _unreachable(issuer, f"its discovery document has no https {', '.join(missing)}")
    return outputs


def _unreachable(issuer: str, cause: str, retry_after: float | None = None) -> Unavailable:
    return Unavailable(
        f"spec.identity.issuer {issuer}: {cause}",
        remedy="Check the address and that the operator can reach it; it is tried again by itself.",
        reason=Reason.ISSUER_UNREACHABLE,
        retry_after=retry_after,
    )
