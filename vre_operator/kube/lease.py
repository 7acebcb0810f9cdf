"""Leader election on a coordination.k8s.io Lease: at most one writer, none only while a lease runs out.

Others judge by their own monotonic clock how long the Lease has stood unchanged, so clocks that differ between
nodes do not matter. A leader that could not renew stops writing before anybody else may begin: RENEW_DEADLINE
is shorter than DURATION. Losing the Lease ends the process; a new one starts as a candidate.

A Lease that a person deleted or emptied is no invitation: its leader has until its deadline to write it anew,
and does so at its next renewal.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vre_operator.engine.errors import Conflict, NotFound, TargetError
from vre_operator.kube.client import Kube

log = logging.getLogger(__name__)

KIND = "coordination.k8s.io/v1/Lease"
DURATION = 15.0
RENEW_DEADLINE = 10.0
RETRY = 2.0
_RELEASED = 1  # leaseDurationSeconds of a Lease that its holder gave back
_LONGEST = 4  # times our own duration, that we wait at most for a silent holder
_ABSENT = "absent"


class LeaseLost(Exception):
    """Somebody else leads, or may: stop at once."""


class Lease:
    """One candidate. `acquire`, then `hold` beside the work, then `release`."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        duration: float = DURATION,
    ) -> None:
        self._kube = kube
        self._address = (namespace, name)
        self._identity = identity
        self._clock = clock
        self._duration = duration
        self._renewed = float("-inf")
        self._seen: tuple[str, float] = ("", float("-inf"))
        self._lease: dict[str, Any] | None = None

    async def acquire(self) -> None:
        """Wait until we lead."""
        waiting_for = ""
        while not await self._try_acquire():
            holder = str((self._lease or {}).get("spec", {}).get("holderIdentity", ""))
            if holder != waiting_for:
                log.info("waiting for the lease, now held by %s", holder or "nobody")
                waiting_for = holder
            await asyncio.sleep(self._retry() * (1 + random.random() / 5))  # noqa: S311
        log.info("leading as %s", self._identity)

    async def hold(self) -> None:
        """Renew for ever. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._retry())
            try:
                async with asyncio.timeout(self._retry()):
                    renewed = await self._renew()
            except (TargetError, TimeoutError) as error:
                log.warning("lease not renewed: %s", str(error) or "no answer in time")
            else:
                if not renewed:
                    raise LeaseLost("the lease was taken over")
            if not self.held:
                raise LeaseLost("the lease could not be renewed in time")

    @property
    def held(self) -> bool:
        """Whether nobody else can have it yet. Ask before anything that cannot be undone."""
        return self._clock() - self._renewed < self._deadline

    @property
    def _deadline(self) -> float:
        return self._duration * RENEW_DEADLINE / DURATION

    async def release(self) -> None:
        """Let the next one lead at once; errors do not matter, for the lease runs out."""
        if self._lease is None or not self.held:
            return
        # Before the write: from here on somebody else may have it.
        self._renewed = float("-inf")
        spec = {**self._spec(), "holderIdentity": "", "leaseDurationSeconds": _RELEASED}
        try:
            await self._kube.replace({**self._lease, "spec": spec})
        except TargetError as error:
            log.info("lease not released: %s", error)

    async def _try_acquire(self) -> bool:
        try:
            lease = await self._kube.get(KIND, *self._address)
        except NotFound:
            return self._stands(_ABSENT) > self._deadline and await self._take(None)
        except TargetError as error:
            log.warning("lease can't be read: %s", error)
            return False
        self._lease = lease
        spec = lease.get("spec") or {}
        told = float(spec.get("leaseDurationSeconds") or 0)
        # Another version's leader may need longer, and nobody a day.
        patience = min(max(self._duration, told), _LONGEST * self._duration)
        stale = self._stands(lease["metadata"]["resourceVersion"]) > patience
        holder = spec.get("holderIdentity") or ""
        released = not holder and told == _RELEASED
        return (released or stale or holder == self._identity) and await self._take(lease)

    def _stands(self, version: str) -> float:
        """Seconds since this version was first seen, as the last one."""
        if self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() - self._seen[1]

    async def _take(self, lease: dict[str, Any] | None) -> bool:
        try:
            if lease is None:
                await self._create()
            else:
                transitions = int((lease.get("spec") or {}).get("leaseTransitions") or 0) + 1
                await self._write({**lease, "spec": {**self._spec(), "leaseTransitions": transitions}})
        except Conflict:
            return False
        except TargetError as error:
            log.warning("lease can't be taken: %s", error)
            return False
        return True

    async def _renew(self) -> bool:
        """False when somebody else has it; an edit or a deletion by hand is not that."""
        assert self._lease is not None  # noqa: S101 hold() comes after acquire()
        try:
            await self._write({**self._lease, "spec": {**(self._lease.get("spec") or {}), **self._spec()}})
        except (Conflict, NotFound):
            try:
                lease = await self._kube.get(KIND, *self._address)
            except NotFound:
                await self._create()
                return True
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") not in (self._identity, "", None):
                return False
            self._lease = lease
            await self._write({**lease, "spec": {**spec, **self._spec()}})
        return True

    async def _create(self) -> None:
        """Conflict when there is one."""
        namespace, name = self._address
        before = self._clock()
        body = {"metadata": {"namespace": namespace, "name": name}, "spec": self._spec()}
        self._lease = await self._kube.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **body})
        self._renewed = before

    async def _write(self, lease: dict[str, Any]) -> None:
        before = self._clock()
        self._lease = await self._kube.replace(lease)
        self._renewed = before

    def _spec(self) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "renewTime": now,
        }

    def _retry(self) -> float:
        return self._duration * RETRY / DURATION
