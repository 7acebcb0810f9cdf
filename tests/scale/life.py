"""What tenants cost our operator once they stand: at rest, restarted, changed, spoiled, beside others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.scale import compare, drift, processes, tenants
from tests.scale.audit import Asked, writes
from tests.scale.contenders import Ours, Yardstick
from tests.scale.drift import Repair
from tests.scale.figures import Row, milliseconds, quantile
from tests.scale.rig import Rig
from tests.scale.tenants import Json, Key, Rendered
from tests.scale.witness import WISH
from vre_operator.kube.client import Kube

REST_SECONDS = 60.0
_CALM_SECONDS = 5.0
_MANY, _LARGE = 100, 1000
"""With fewer tenants the process's own memory hides theirs; the bars for many are for 1,000."""
_KIB, _MIB = 1 << 10, 1 << 20
_DEAD = "https://localhost:1"
_SPREAD = ("get", "secrets")
_CROWD = 100
"""Deleted at once: more only measures how long a namespace controller takes for thousands."""


@dataclass
class Life:
    """`group` stands, made by `ours`, which runs.

    bare: bytes of the operator before there was anybody. idle: drift repairs of before any load, in seconds.
    """

    world: Rig
    ours: Ours
    group: Sequence[Rendered]
    resync: float
    bare: int
    idle: list[float] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.group)

    def asked(self) -> Counter[Asked]:
        return self.world.audit.read(self.ours.user)

    def calm(self, limit: float = 300) -> Counter[Asked]:
        """Wait until the operator has asked for nothing for a while; what it asked until then."""
        found: Counter[Asked] = Counter()
        deadline = time.monotonic() + limit
        quiet = time.monotonic() + _CALM_SECONDS
        while time.monotonic() < quiet:
            time.sleep(0.5)
            if now := without_watches(self.asked()):
                quiet = time.monotonic() + _CALM_SECONDS
                found += now
            if time.monotonic() > deadline:
                raise TimeoutError(f"the operator does not come to rest: {dict(now)}")
        return found


def without_watches(asked: Counter[Asked]) -> Counter[Asked]:
    """A watch ends every few minutes, for each kind and not for each tenant."""
    return Counter({what: count for what, count in asked.items() if what.verb != "watch"})


def told(asked: Counter[Asked]) -> str:
    """By verb and resource, for people."""
    by: Counter[str] = Counter()
    for what, count in asked.items():
        by[f"{what.verb} {what.resource}" + (f" ({what.code})" if what.code >= 300 else "")] += count
    return ", ".join(f"{count} {what}" for what, count in by.most_common(6)) or "none"


def at_rest(life: Life) -> Iterator[Row]:
    """Requests, provider calls and CPU over three resyncs, or a minute if that is longer."""
    life.calm()
    seconds = max(REST_SECONDS, 3.5 * life.resync)
    calls = life.world.issuer.calls()
    before = processes.cost(life.ours.pid)
    time.sleep(seconds)
    after = processes.cost(life.ours.pid)
    asked = without_watches(life.asked())
    provider = life.world.issuer.calls() - calls
    share = 100 * (after.cpu - before.cpu) / seconds
    each = (after.rss - life.bare) / _KIB / life.size
    yield Row(f"at rest, {life.size} tenants, 3 resyncs: writes", "0", str(writes(asked)), not writes(asked))
    yield Row(
        f"at rest, {life.size} tenants, 3 resyncs: requests",
        "aim 0 for each tenant",
        f"{sum(asked.values())}: {told(asked)}",
        not asked,
    )
    changing = sum(count for what, count in provider.items() if not what.startswith("GET"))
    yield Row(
        f"at rest, {life.size} tenants: calls to the provider",
        "0 changing",
        f"{sum(provider.values())}, {changing} not reading",
        changing == 0,
    )
    yield Row(
        f"at rest, {life.size} tenants: CPU of a core, with a resync each {life.resync:.0f} s (600 by default)",
        "<= 1 %",
        f"{share:.2f} %",
        share <= 1.0,
    )
    yield Row(
        f"memory with {life.size} tenants",
        "<= 200 MiB at 1,000",
        f"{after.rss / _MIB:.0f} MiB, {life.bare / _MIB:.0f} without any",
        after.rss <= 200 * _MIB if life.size >= _LARGE else None,
    )
    yield Row(
        f"memory of a tenant, of {life.size}",
        "<= 100 KiB",
        f"{each:.0f} KiB",
        each <= 100 if life.size >= _MANY else None,
    )


def restart(life: Life) -> Iterator[Row]:
    """Killed and started again: when it had asked its last question, what it wrote, what that cost."""
    life.ours.end()
    life.asked()
    world = life.world
    before = processes.costs(world.parts)
    assert life.ours.operator
    began = time.time()
    life.ours.operator.start()
    asked: Counter[Asked] = Counter()
    while not any(what.verb == "list" for what in asked):
        time.sleep(0.5)
        asked += without_watches(life.asked())
    asked += life.calm()
    cpu = processes.costs(world.parts)["kube-apiserver"].cpu - before["kube-apiserver"].cpu
    ends = {what: at - began for what, at in world.audit.last.items() if at >= began}
    # What others may change unseen is read once more, spread over a resync so that nothing is at once.
    spread_out = max((at for what, at in ends.items() if what[:2] == _SPREAD), default=0.0)
    steady = max(at for what, at in ends.items() if what[:2] != _SPREAD)
    yield Row(
        f"restart, {life.size} tenants: steady after",
        "<= 15 s",
        f"{steady:.1f} s; Secrets are read until {spread_out:.0f} s, spread over the resync",
        steady <= 15,
    )
    yield Row(
        f"restart, {life.size} tenants: writes", "0", f"{writes(asked)}; {told(asked)}", not writes(asked)
    )
    yield Row(
        f"restart, {life.size} tenants: API server",
        "<= 20 CPU-s at 1,000",
        f"{cpu:.1f} CPU-s",
        cpu <= 20 if life.size >= _LARGE else None,
    )


def change(life: Life) -> tuple[Counter[Asked], list[float]]:
    """One field of one tenant: what the operator asks for then, and when each object has followed (seconds)."""
    life.calm()
    tenant = life.group[len(life.group) // 2]
    seen = life.world.witness
    began = time.monotonic()
    patch = [{"op": "add", "path": "/spec/notebooks/maxSessions", "value": 49}]
    life.world.api(lambda kube: kube.patch_json(WISH, tenant.namespace, tenants.NAME, patch))
    asked = life.calm()
    seen.look()
    sights = (seen.first(key, began) for key in tenant.keys)
    return asked, [sight.at - began for sight in sights if sight]


def one_field(life: Life) -> Iterator[Row]:
    """As many requests as objects change, and one of status."""
    asked, changed = change(life)
    count = sum(asked.values())
    yield Row(
        f"one field of one among {life.size}: requests",
        f"{len(changed)} changed + 1 status",
        f"{count}: {told(asked)}; last object after {1000 * max(changed, default=0.0):.0f} ms",
        count <= len(changed) + 1,
    )


def idle_drift(life: Life, times: int) -> Iterator[Row]:
    """One deed at a time."""
    tenant = life.group[0]
    before = _standing(life, [tenant])
    repairs = drift.one_by_one(life.world, tenant, times)
    life.idle = [repair.seconds for repair in repairs if repair.seconds is not None]
    yield _drift_row(
        f"drift repaired, idle, {life.size} tenants", "p50 <= 50, p99 <= 250 ms", repairs, 0.25, 0.05
    )
    for how in (drift.DELETED, drift.EDITED, drift.STRIPPED):
        some = [it for it in repairs if it.spoil.how == how]
        yield Row(f"  {how}", "", milliseconds([it.seconds for it in some if it.seconds is not None]))
    slow = sorted(repairs, key=lambda it: it.seconds or float("inf"), reverse=True)[:4]
    yield Row("  slowest", "", "; ".join(map(_named, slow)))
    yield _same(life, repairs, before)


def busy_drift(life: Life, count: int, rate: float = 10) -> Iterator[Row]:
    """Many a second, all over the tenants."""
    before = _standing(life, life.group)
    repairs = drift.at_a_rate(life.world, life.group, rate=rate, count=count, seed=4)
    yield _drift_row(f"drift repaired, {rate:.0f} a second, {life.size} tenants", "p99 <= 1 s", repairs, 1.0)
    yield _same(life, repairs, before)


def hot_neighbour(life: Life, count: int, rate: float = 100) -> Iterator[Row]:
    """One tenant is edited without pause; the others' drift is repaired as if nothing was."""
    hot, *others = life.group
    path = "/spec/notebooks/maxSessions"

    edits = 0

    async def edit(kube: Kube) -> None:
        nonlocal edits
        began = time.monotonic()
        while True:
            edits += 1
            patch = [{"op": "add", "path": path, "value": 10 + edits % 40}]
            await kube.patch_json(WISH, hot.namespace, tenants.NAME, patch)
            await asyncio.sleep(began + edits / rate - time.monotonic())

    began = time.monotonic()
    repairs = drift.at_a_rate(life.world, others, rate=2, count=count, seed=5, beside=edit)
    seen = edits / (time.monotonic() - began)
    yield _beside_row(f"drift beside a tenant edited {seen:.0f} times a second", life, repairs)


def sick_provider(
    life: Life, wishes: Callable[[str, str, int], Sequence[Rendered]], count: int
) -> Iterator[Row]:
    """Tenants of a provider that takes 5 s a call, then of a dead one; the others' drift meanwhile."""
    issuer = life.world.issuer
    for name, url, seconds in (("slow", issuer.url, 5.0), ("dead", _DEAD, 0.0)):
        sick = wishes(name, url, 5)
        issuer.delay(seconds)
        try:
            life.world.welcome(it.namespace for it in sick)
            life.ours.create(sick)
            repairs = drift.at_a_rate(life.world, life.group[1:], rate=2, count=count, seed=6)
        finally:
            issuer.delay(0)
        yield _beside_row(f"drift beside 5 tenants of a {name} provider", life, repairs)
        _deleted(life, sick)


def deletion(life: Life, yardstick: Yardstick) -> Iterator[Row]:
    """One tenant, then many others at once; beside it the bare deletes of the same objects."""
    first, rest = life.group[0], life.group[1 : 1 + _CROWD]
    try:
        yardstick.start()
        for group in filter(None, ([first], rest)):
            life.calm()
            seconds = _deleted(life, group)
            asked = life.calm()
            ratio = seconds / _bare_deletion(life, yardstick, group)
            yield Row(
                f"delete {len(group)} of {life.size} tenants",
                "<= 1.5 Y-delete",
                f"{seconds:.2f} s = {ratio:.2f} Y; {sum(asked.values())} requests: {told(asked)}",
                ratio <= 1.5,
            )
    finally:
        yardstick.end()


def _deleted(life: Life, group: Sequence[Rendered]) -> float:
    """Seconds until they are gone."""
    began = time.monotonic()
    life.world.api(partial(_delete, group=group))
    return _gone(life, ((WISH, it.namespace, tenants.NAME) for it in group), began)


def _bare_deletion(life: Life, yardstick: Yardstick, group: Sequence[Rendered]) -> float:
    """Seconds for the same objects, made and deleted by the yardstick in the same namespaces."""
    for name in (name for tenant in group for name in tenant.namespaces[1:]):
        _gone(life, [("v1/Namespace", "", name)], 0.0)
    yardstick.load(group)
    began = time.monotonic()
    yardstick.create(group)
    keys = [key for tenant in group for key in tenant.keys]
    life.world.witness.until(
        lambda: not life.world.witness.missing(keys, began), 600, "the yardstick's objects"
    )
    life.world.witness.quiet(2)
    began = time.monotonic()
    yardstick.delete()
    own = {("v1/Namespace", "", tenant.namespace) for tenant in group}
    return _gone(life, (key for key in keys if key not in own), began)


def _gone(life: Life, keys: Iterable[Key], began: float) -> float:
    """Seconds since `began` until all of them are gone."""
    seen, wanted = life.world.witness, list(keys)

    def gone() -> bool:
        return all(seen.by_key[key][-1].type == "DELETED" for key in wanted)

    seen.until(gone, 120 + 10 * len(wanted), "they are deleted")
    return max(seen.by_key[key][-1].at for key in wanted) - began


async def _delete(kube: Kube, group: Sequence[Rendered]) -> None:
    await asyncio.gather(*(kube.delete(WISH, it.namespace, tenants.NAME) for it in group))


def _standing(life: Life, group: Sequence[Rendered]) -> dict[Key, Json]:
    names = [name for tenant in group for name in tenant.namespaces]
    return life.world.api(lambda kube: compare.standing(kube, names))


def _drift_row(measure: str, bar: str, repairs: Sequence[Repair], p99: float, p50: float = 1e9) -> Row:
    seconds = [it.seconds for it in repairs if it.seconds is not None]
    never = [it for it in repairs if it.seconds is None]
    seen = milliseconds(seconds)
    if never:
        seen += f"; NOT repaired: {len(never)}, {', '.join(map(_named, never[:4]))}"
    good = not never and quantile(seconds, 0.5) <= p50 and quantile(seconds, 0.99) <= p99
    return Row(measure, bar, seen, good)


def _beside_row(measure: str, life: Life, repairs: Sequence[Repair]) -> Row:
    idle = quantile(life.idle, 0.99) if life.idle else 0.0
    return _drift_row(measure, f"others' p99 <= 2 x idle ({2000 * idle:.0f} ms)", repairs, 2 * idle)


def _named(repair: Repair) -> str:
    took = "never" if repair.seconds is None else f"{1000 * repair.seconds:.0f} ms"
    return f"{repair.spoil.kind} {repair.spoil.how} {took}"


def _same(life: Life, repairs: Sequence[Repair], before: dict[Key, Json]) -> Row:
    """Repaired means: as it was."""
    wrong = drift.unequal(life.world, repairs, before)
    return Row(
        "  as it was, of the spoiled objects",
        "all",
        f"all but {len(wrong)} {wrong[:3]}" if wrong else "all",
        not wrong,
    )
