"""One tenant's Rucio as last seen: read in a few large pieces that all of the tenant's resources share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vre_operator.engine.target import READY, Observation, Presence, Readiness
from vre_operator.targets.rucio.change import Change
from vre_operator.targets.rucio.http import Refused, RucioHttp
from vre_operator.targets.rucio.subscriptions import by_name

CHECK = (300.0, 900.0)
"""Seconds between two readings of a settled lake."""

KEEP = 30.0
"""Seconds for which what was read is good; a walk is over long before."""
AGAIN = 5.0
"""Seconds until what lacks something else is looked at again: that is made in the same walk, or by a person."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something that was read. began: when its reading began, so that a later change is not taken for seen."""

    value: Any = field(repr=False)
    began: float


@dataclass(slots=True)
class Lake:
    """settled: what was found to be as wanted, with the digest of what was wanted, until it is `due`.

    differing: what an observation found, for the apply that follows it. tried: what the last changes were to
    set right; what is found again then, Rucio ignores. asleep: the tenant is suspended, and nobody answers.
    """

    http: RucioHttp
    clock: Callable[[], float]
    settled: dict[str, str] = field(default_factory=dict)
    differing: dict[str, list[Change]] = field(default_factory=dict)
    tried: dict[str, tuple[str, ...]] = field(default_factory=dict)
    due: float = 0.0
    asleep: bool = False
    _pieces: dict[str, _Piece] = field(default_factory=dict)
    _changed: dict[str, float] = field(default_factory=dict)
    _reading: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # After a restart the first readings are spread over the shortest interval.
        self.due = self.clock() + random.uniform(0.0, CHECK[0])  # noqa: S311

    def is_settled(self, key: str, digest: str) -> bool:
        """Whether nothing has to be asked for this resource now."""
        if self.clock() >= self.due:
            self.settled.clear()
            self.tried.clear()
            self._pieces.clear()
            self.due = self.clock() + random.uniform(*CHECK)  # noqa: S311
        return self.settled.get(key) == digest

    def settle(self, key: str, digest: str, readiness: Readiness = READY) -> Observation:
        """Nothing has to be changed; to be looked at again when the lake is read again."""
        self.settled[key] = digest
        return Observation(Presence.SYNCED, readiness, recheck_after=self.until_due)

    @property
    def until_due(self) -> float:
        """Seconds until everything is to be read again."""
        return max(self.due - self.clock(), 0.0)

    def rest(self) -> None:
        """Let go of what was read."""
        self._pieces.clear()

    async def rses(self, asked: str = "") -> Mapping[str, Mapping[str, Any]]:
        """What the export says of each RSE. Not of distances, which would take it a hundred times as long.

        asked: the one that matters. Changes of others make it no older: or hundreds would each be read anew.
        """
        of = f"rse {asked}" if asked else "export"
        found: Mapping[str, Mapping[str, Any]] = await self._piece("export", self._read_rses, of=of)
        return found

    async def limits(self, rse: str) -> Mapping[str, int]:
        """The limits of an RSE that is there."""
        found = await self._piece(f"limits {rse}", lambda: self.http.get("rses", rse, "limits"))
        return dict(found or {})

    async def options(self) -> Mapping[str, Mapping[str, Any]]:
        """The configuration table: {section: {option: value}}."""
        found: Mapping[str, Mapping[str, Any]] = await self._piece("options", lambda: self.http.get("config"))
        return found

    async def subscriptions(self) -> Mapping[str, Mapping[str, Any]]:
        """All of them, by "account/name"."""
        found: Mapping[str, Mapping[str, Any]] = await self._piece("subscriptions", self._read_subscriptions)
        return found

    async def account(self, name: str, quotas: Iterable[str] = ()) -> Mapping[str, Any] | None:
        """What Rucio has of an account (see accounts.py); None when it never was there. quotas: expressions to
        ask for where the limits cannot be listed."""
        found: Mapping[str, Any] | None = await self._piece(
            f"account {name}", lambda: self.read_account(name, quotas)
        )
        return found

    async def matching(self, expressions: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """The RSEs that each expression matches, of those that match any.

        A limit for one that matches none must not be: Rucio then refuses every rule of the account.
        """
        found = {one: await self._matches(one) for one in expressions}
        return {one: names for one, names in found.items() if names}

    async def _matches(self, expression: str) -> frozenset[str]:
        read = partial(self._resolve, expression)
        found: frozenset[str] = await self._piece(f"expression {expression}", read, of="export")
        return found

    async def _resolve(self, expression: str) -> frozenset[str]:
        try:
            listed = await self.http.rows("rses", "", query={"expression": expression})
        except Refused as refusal:
            if refusal.kind == "InvalidRSEExpression":
                return frozenset()
            raise
        return frozenset(one["rse"] for one in listed)

    async def make(self, key: str, pieces: Sequence[str], changes: Iterable[Change]) -> None:
        """Send `changes` one after the other. Whatever was read of `pieces` is old from now on."""
        wanted = list(changes)
        self.settled.pop(key, None)
        try:
            for change in wanted:
                await self.http.change(change.method, *change.path, body=change.body, but=change.done)
        finally:
            for piece in pieces:
                self._changed[piece] = self.clock()
        self.tried[key] = tuple(change.what for change in wanted)

    async def _read_subscriptions(self) -> Mapping[str, Mapping[str, Any]]:
        try:
            return by_name(await self.http.rows("subscriptions", ""))
        except Refused as refusal:
            if refusal.kind == "SubscriptionNotFound":
                return {}  # there are none
            raise

    async def _read_rses(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (await self.http.get("export", query={"distance": "False"})).get("rses", {})
        return found

    async def read_account(self, name: str, quotas: Iterable[str] = ()) -> Mapping[str, Any] | None:
        """The same, asked for now and not kept."""
        try:
            account = await self.http.get("accounts", name)
        except Refused as refusal:
            if refusal.kind == "AccountNotFound":
                return None
            raise
        if account.get("status") != "ACTIVE":
            return {"account": account}  # of others Rucio tells nothing more
        return {
            "account": account,
            "attributes": await self.http.rows("accounts", name, "attr", ""),
            "identities": await self.http.rows("accounts", name, "identities"),
            "limits": await self._limits(name, quotas),
            "local": await self.http.get("accounts", name, "limits", "local"),
            "scopes": await self._scopes(name),
        }

    async def _limits(self, account: str, quotas: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        path = ("accounts", account, "limits", "global")
        try:
            found: Mapping[str, Mapping[str, Any]] = await self.http.get(*path)
            return found
        except Refused as refusal:
            if refusal.kind != "InvalidRSEExpression":
                raise
        # One of them matches no RSE, and so none is told.
        limits = {one: (await self.http.get(*path, one)).get(one) for one in quotas}
        return {one: {"limit": limit} for one, limit in limits.items() if limit is not None}

    async def _scopes(self, account: str) -> Any:
        try:
            return await self.http.get("scopes", account, "scopes")
        except Refused as refusal:
            if refusal.kind == "ScopeNotFound":
                return []  # it has none
            raise

    async def _piece(self, name: str, read: Callable[[], Awaitable[Any]], *, of: str = "") -> Any:
        """of: what has not been changed since, if not the piece itself."""
        async with self._reading.setdefault(name, asyncio.Lock()):
            known, now = self._pieces.get(name), self.clock()
            changed = self._changed.get(of or name, -1.0)
            if known is None or now > known.began + KEEP or known.began <= changed:
                known = self._pieces[name] = _Piece(await read(), now)
            return known.value
