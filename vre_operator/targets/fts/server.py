"""Kind Server: an FTS, asked now and then whether it answers, and given each new proxy.

REST of fts-rest-flask 3.13 (src/fts3rest/fts3rest/controllers/delegation.py): GET /whoami tells the id under
which it keeps our proxy, GET /delegation/ID until when the one that it holds is good; for a new one it makes a
key and asks for our signature: GET /delegation/ID/request, PUT /delegation/ID/credential.

Body: url; proxy, PEM, or "" where transfers go by token; ca_bundle; allowed_cidrs; asleep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vre_operator.engine.errors import Forbidden, Invalid, TargetError, Unavailable
from vre_operator.engine.target import Observation, Presence
from vre_operator.targets.fresh import Fresh
from vre_operator.targets.fts import proxies
from vre_operator.targets.fts.http import SERVER, GridHttp
from vre_operator.targets.fts.proxies import Credential
from vre_operator.targets.web import Answer

Connect = Callable[..., GridHttp]
_EVERY = 600.0
# What FTS tells has whole seconds.
_CLOSE = 60.0
_LOOK = "Correct spec.dataLake.transfers.fts, or ask its admin; it is asked again. No file is copied meanwhile."


@dataclass(slots=True)
class _Known:
    """body: what it was asked for. credential: the proxy, where there is one."""

    body: Mapping[str, Any]
    http: GridHttp
    credential: Credential | None
    fresh: Fresh


class Servers:
    """One for each tenant. clock: seconds since the epoch."""

    def __init__(self, connect: Connect, clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}

    def due(self, tenant: tuple[str, str]) -> float:
        """Seconds until it has to be asked again; 0 when it has to be now."""
        known = self._known.get(tenant)
        return known.fresh.rest if known else 0.0

    def forget(self, tenant: tuple[str, str]) -> None:
        self._known.pop(tenant, None)

    async def observe(self, tenant: tuple[str, str], body: Mapping[str, Any]) -> Observation:
        """Raises while it never answered; later a failing asking shows in readiness."""
        known = self._meet(tenant, body)
        seen = await known.fresh.observe(lambda: self._ask(known))
        if known.credential is None or not seen.readiness.ready:
            return seen
        held = float(seen.outputs["held"])
        if held >= known.credential.expires.timestamp() - _CLOSE:
            return seen
        return Observation(Presence.DRIFTED, detail="it holds no proxy as good as ours")

    async def apply(self, tenant: tuple[str, str], body: Mapping[str, Any]) -> Observation:
        """Delegate."""
        known = self._meet(tenant, body)
        if known.credential is None:
            raise Invalid("Without a proxy there is nothing to give to the FTS")
        whoami = await self._whoami(known)
        request = _text(await known.http.ask("GET", f"/delegation/{whoami}/request"))
        now = datetime.fromtimestamp(self._clock(), UTC)
        signed = proxies.delegate(known.credential, request.encode(), now)
        _taken(await known.http.ask("PUT", f"/delegation/{whoami}/credential", body=signed), known)
        known.fresh.expire()
        seen = await self.observe(tenant, body)
        if seen.presence is Presence.DRIFTED:
            raise Unavailable(f"{known.http.host} took our proxy and does not show it", remedy=_LOOK)
        return seen

    def _meet(self, tenant: tuple[str, str], body: Mapping[str, Any]) -> _Known:
        known = self._known.get(tenant)
        if known is None or known.body != body:
            credential = proxies.load(body["proxy"], body["proxy"]) if body["proxy"] else None
            cidrs = tuple(body["allowed_cidrs"])
            http = self._connect(body["url"], SERVER, credential, body["ca_bundle"], cidrs)
            known = self._known[tenant] = _Known(body, http, credential, Fresh(self._clock, _EVERY))
        return known

    async def _ask(self, known: _Known) -> dict[str, str]:
        try:
            return await self._held(known)
        except Unavailable as error:
            error.remedy = error.remedy or _LOOK
            raise

    async def _held(self, known: _Known) -> dict[str, str]:
        if known.credential is None:
            # Who has no certificate is refused, and that is an answer, too.
            await known.http.ask("GET", "/")
            return {"held": "0"}
        whoami = await self._whoami(known)
        answer = _taken(await known.http.ask("GET", f"/delegation/{whoami}"), known)
        return {"held": str(_instant(answer.text("termination_time")))}

    async def _whoami(self, known: _Known) -> str:
        answer = _taken(await known.http.ask("GET", "/whoami"), known)
        name = answer.text("delegation_id")
        if not name.isalnum():
            raise Invalid(f"{known.http.host} does not answer as an FTS: /whoami tells no delegation_id")
        return name


def _taken(answer: Answer, known: _Known) -> Answer:
    if answer.status < 400:
        return answer
    raise _refusal(answer, known)


def _refusal(answer: Answer, known: _Known) -> TargetError:
    who = known.credential.subject if known.credential else "us"
    said = f"The FTS {known.http.host} refuses {who} ({answer.status})"
    return Forbidden(said, remedy="Have its admin authorise this subject or its virtual organisation.")


def _text(answer: Answer) -> str:
    return answer.data if isinstance(answer.data, str) else ""


def _instant(text: str) -> float:
    """Seconds since the epoch of a time in UTC; 0 where there is none."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
