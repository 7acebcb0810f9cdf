"""Kind Issuer: the provider's discovery document, fetched now and then and kept while the provider is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid, TargetError, Throttled, Unavailable
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.targets.oidc.http import IssuerHttp

_REFRESH = 600.0
_FAULT_RETRY = 30.0

_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "registration_endpoint", "end_session_endpoint")

Connect = Callable[[str, str, tuple[str, ...]], IssuerHttp]


@dataclass(slots=True)
class _Known:
    outputs: dict[str, str] = field(default_factory=dict)
    failure: TargetError | None = None
    due: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """The documents by issuer; tenants of the same issuer share one."""

    def __init__(self, connect: Connect, clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._known: dict[tuple[str, str, tuple[str, ...]], _Known] = {}

    async def observe(self, body: Mapping[str, Any]) -> Observation:
        """The endpoints as outputs. Raises while none are known; later a failing refresh shows in readiness."""
        key = (body["issuer"], body.get("ca_bundle", ""), tuple(body.get("allowed_cidrs", ())))
        known = self._known.setdefault(key, _Known())
        async with known.lock:
            if self._clock() >= known.due:
                await self._refresh(known, key)
        after = max(known.due - self._clock(), 0.0)
        readiness = READY
        if known.failure:
            if not known.outputs:
                known.failure.retry_after = after
                raise known.failure.with_traceback(None)
            state = State.FAILED if known.failure.terminal else State.PROGRESSING
            readiness = Readiness(state, known.failure.reason, known.failure.text)
        return Observation(Presence.SYNCED, readiness, known.outputs, recheck_after=after)

    async def _refresh(self, known: _Known, key: tuple[str, str, tuple[str, ...]]) -> None:
        issuer = key[0]
        try:
            known.outputs = await _fetch(self._connect(*key), issuer)
            known.failure, wait = None, _REFRESH
        except (Unavailable, Throttled) as error:
            known.failure, wait = _unreachable(issuer, error.message), error.retry_after or _FAULT_RETRY
        except TargetError as error:
            known.failure, wait = error, _FAULT_RETRY
        known.due = self._clock() + wait * random.uniform(1.0, 1.2)  # noqa: S311


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


def _unreachable(issuer: str, cause: str) -> Unavailable:
    return Unavailable(
        f"spec.identity.issuer {issuer}: {cause}",
        remedy="Check the address and that the operator can reach it; it is tried again by itself.",
        reason=Reason.ISSUER_UNREACHABLE,
    )
