"""One tenant misbehaves as hard as it can, and another one changes a field: how much later is that done?

Turns in an order of chance, `alone` among them, and in each the same changes, one after the other. Beside each
change of ours a bare client makes the same steps (a change, heard of by a watch, then three applies, heard of
again) under the same load: what the API server and two cores make everybody wait is in both.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import yaml

from dev.progress import note, step
from tests.faults.neighbours import largest
from tests.faults.neighbours.person import until
from tests.scale import contenders, issuer, processes, rig, tenants
from tests.scale.figures import Row, quantile, spread
from tests.scale.rig import Rig
from tests.scale.rounds import Course
from tests.scale.tenants import CREDENTIALS, NAME, Json, Key
from tests.scale.witness import WISH
from tests.site import ROOT
from vre_operator.api import names
from vre_operator.kube.client import Kube

VICTIM, ABUSER, SICK = "calm", "abuser", "sick"
ALONE = "alone"
DEEDS: Mapping[str, str] = {
    "edits": "one with the largest spec, edited without pause",
    "events": "Events in its namespace without pause",
    "configmaps": "ConfigMaps in its namespace without pause",
    "forged-configmaps": "ConfigMaps that bear the operator's labels, without pause",
    "secrets": "Secrets in its namespace without pause",
    "forged-secrets": "Secrets that bear the operator's labels, without pause",
    "hangs": "one whose issuer never answers",
    "500": "one whose issuer answers 500",
    "resets": "one whose issuer resets connections",
}
BAR = 1.2
_WRITERS = 2
_WARM = 1.0
_BETWEEN = 0.1
_LIMIT = 120.0
_POKES = 5.0
"""A second, of the one whose issuer is sick: it is woken again and again, and asks again."""
_ISSUER = ("hangs", "500", "resets")
_SIZES = itertools.count()
"""Of two changes, one after the other, none is like the one before, or nothing would follow it."""


@dataclass
class Turn:
    """What it told, in seconds: until the last object and until the status of ours, and of the bare client.

    writes: of the abuser, a second. cpu: of a core, the operator's.
    """

    deed: str
    objects: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    writes: float = 0.0
    cpu: float = 0.0
    load: float = 0.0


def measure(
    it: Course, rounds: int, samples: int, deeds: Sequence[str] = tuple(DEEDS), *, bounded: bool = False
) -> Iterator[Row]:
    """A row for each deed, over all rounds; `samples` changes in each turn. bounded: the abuser, by what we
    advise."""
    done: list[dict[str, Turn]] = []
    with (
        issuer.running(it.folder / "sick") as sick,
        rig.world(it.name, it.folder / "turn", it.provider) as world,
    ):
        ours = contenders.Ours(world, it.rendered)
        try:
            ours.start()
            _welcome(world, it.provider.url)
            if bounded:
                _bind(world)
            # It would read all that the abuser writes, on the cores that are measured.
            world.witness.process.kill()
            for number in range(1, rounds + 1):
                done.append({})
                for deed in random.sample([ALONE, *deeds], len(deeds) + 1):
                    with step(f"round {number}: {deed}"):
                        done[-1][deed] = _turn(world, ours, sick, deed, samples)
                    note(_told(done[-1][deed]))
        finally:
            ours.end()
    yield Row("another tenant's change, alone", "", _told_all([one[ALONE] for one in done]))
    for deed in deeds:
        yield _row(deed, [(one[deed], one[ALONE]) for one in done])


def _welcome(world: Rig, url: str) -> None:
    """Both stand when the first turn begins, the abuser as well as it can."""
    world.welcome([VICTIM, ABUSER, SICK])
    world.make([tenants.wish(VICTIM, tenants.manual(url))])
    world.api(_ready)
    spec = largest.spec(ABUSER, url)
    spec["identity"] |= {"provider": "manual", "credentialsSecret": {"name": CREDENTIALS}}
    spec["workflows"]["clientSecret"] = spec["dataLake"]["clientSecret"] = {"name": CREDENTIALS}
    world.make([_wish(ABUSER, spec)])
    world.api(_heard_of)


def _bind(world: Rig) -> None:
    world.kubeconfig(ABUSER)
    for obj in yaml.safe_load_all((ROOT / "examples/site/fairness.yaml").read_text()):
        for rule in obj["spec"].get("rules", ()):
            account = {"name": ABUSER, "namespace": rig.BENCH}
            rule["subjects"] = [{"kind": "ServiceAccount", "serviceAccount": account}]
        world.kubectl("apply", "--server-side", "-f", "-", stdin=obj)


async def _ready(kube: Kube) -> None:
    async def reason() -> str:
        conditions = ((await kube.get(WISH, VICTIM, NAME)).get("status") or {}).get("conditions") or ()
        return next((str(one["reason"]) for one in conditions if one["type"] == "Ready"), "")

    await until(reason, lambda found: found == "Ready")


async def _heard_of(kube: Kube) -> None:
    async def heard() -> bool:
        vre = await kube.get(WISH, ABUSER, NAME)
        generation: int = vre["metadata"]["generation"]
        return generation == (vre.get("status") or {}).get("observedGeneration")

    await until(heard)


def _wish(namespace: str, spec: Json) -> Json:
    metadata = {"name": NAME, "namespace": namespace}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}


def _turn(world: Rig, ours: contenders.Ours, sick: issuer.Issuer, deed: str, samples: int) -> Turn:
    turn = Turn(deed)
    with _abuse(world, turn), _sickness(world, sick, deed):
        time.sleep(_WARM)
        began, before = time.monotonic(), processes.cost(ours.pid).cpu
        world.api(partial(_changes, bare_config=str(world.kubeconfig("bare")), turn=turn, samples=samples))
        turn.cpu = (processes.cost(ours.pid).cpu - before) / (time.monotonic() - began)
        turn.load = os.getloadavg()[0]
    world.api(_heard_of)
    return turn


@contextmanager
def _abuse(world: Rig, turn: Turn) -> Iterator[None]:
    if turn.deed in (ALONE, *_ISSUER):
        yield
        return
    where = [str(world.kubeconfig(ABUSER)), ABUSER, turn.deed]
    command = [sys.executable, "-m", "tests.scale.abuser", *where]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(_WRITERS)
    ]
    try:
        for one in running:
            assert one.stdout
            if one.stdout.readline() != "begun\n":
                raise RuntimeError(f"an abuser ended: {turn.deed}")
        yield
        for one in running:
            taken, seconds = one.communicate("\n", timeout=_LIMIT)[0].split()
            turn.writes += int(taken) / float(seconds)
    finally:
        for one in running:
            one.kill()
            one.communicate()


@contextmanager
def _sickness(world: Rig, sick: issuer.Issuer, deed: str) -> Iterator[None]:
    """A tenant that comes when its issuer is sick, and goes when it is well again."""
    if deed not in _ISSUER:
        yield
        return
    sick.fail(deed)
    identity = tenants.manual(sick.url)
    world.make([tenants.wish(SICK, identity)])
    try:
        yield
    finally:
        sick.fail("")
        world.api(_gone)


async def _gone(kube: Kube) -> None:
    async def there() -> bool:
        return any(one["metadata"]["namespace"] == SICK for one in await kube.list(WISH))

    await kube.delete(WISH, SICK, NAME)
    await until(there, lambda found: not found)


async def _changes(kube: Kube, bare_config: str, turn: Turn, samples: int) -> None:
    poking = asyncio.create_task(_poke(kube)) if turn.deed in _ISSUER else None
    async with Kube.from_kubeconfig(bare_config) as bare, _watching(kube) as seen:
        for number in range(samples):
            # Whatever comes every so often meets both.
            await asyncio.sleep(_BETWEEN * random.uniform(0.5, 1.5))  # noqa: S311 no secret
            await seen.change(turn)
            await seen.bare(bare, number, turn)
    if poking:
        poking.cancel()
        with suppress(asyncio.CancelledError):
            await poking


async def _poke(kube: Kube) -> None:
    while True:
        value = {names.RECONCILE_ANNOTATION: str(time.monotonic())}
        await kube.patch_json(
            WISH, SICK, NAME, [{"op": "add", "path": "/metadata/annotations", "value": value}]
        )
        await asyncio.sleep(1 / _POKES)


@dataclass
class _Seen:
    """The newest sight of each object in the victim's namespaces: when, and what."""

    kube: Kube
    latest: dict[Key, tuple[float, Json]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, kind: str, namespace: str, begun: asyncio.Event) -> None:
        version = ""
        async for page in self.kube.pages(kind, namespace):
            version = page.resource_version
            for obj in page.items:
                self._take(kind, obj, 0.0)
        begun.set()
        async for event in self.kube.watch(kind, version, namespace, silence=3600):
            if event.type in ("ADDED", "MODIFIED"):
                self._take(kind, event.object, time.monotonic())

    def _take(self, kind: str, obj: Json, at: float) -> None:
        self.latest[kind, obj["metadata"]["namespace"], obj["metadata"]["name"]] = (at, obj)
        self.news.set()

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(_LIMIT):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def change(self, turn: Turn) -> None:
        """Of one field, which three objects follow."""
        # Before the change: where it is fast, its end is heard of before the answer to it.
        self.former = {key: self.latest.get(key, (0.0, {}))[1] for key in _FOLLOWED_BY_A_CHANGE}
        began = time.monotonic()
        value = [{"op": "add", "path": "/spec/notebooks/maxSessions", "value": 10 + next(_SIZES) % 40}]
        made = await self.kube.patch_json(WISH, VICTIM, NAME, value)
        generation = made["metadata"]["generation"]
        at = dict.fromkeys(_FOLLOWED_BY_A_CHANGE, 0.0)
        told = 0.0

        def whole() -> bool:
            nonlocal told
            for key in at:
                when, obj = self.latest.get(key, (0.0, {}))
                if not at[key] and when > began and _follows(obj, self.former.get(key)):
                    at[key] = when
            when, vre = self.latest[WISH, VICTIM, NAME]
            if not told and (vre.get("status") or {}).get("observedGeneration") == generation:
                told = when
            return bool(told) and all(at.values())

        await self.until(whole)
        turn.objects.append(max(at.values()) - began)
        turn.status.append(told - began)

    former: dict[Key, Json] = field(default_factory=dict)

    async def bare(self, kube: Kube, number: int, turn: Turn) -> None:
        """The same steps by a client that does nothing else."""
        began = time.monotonic()
        await self._apply(kube, ["bare"], number)
        await self._apply(kube, ["bare-1", "bare-2", "bare-3"], number)
        turn.bare.append(time.monotonic() - began)

    async def _apply(self, kube: Kube, which: Sequence[str], number: int) -> None:
        async def one(name: str) -> Json:
            metadata = {"name": name, "namespace": VICTIM}
            data = {"at": f"{number} {time.monotonic()}"}
            return await kube.apply(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, manager="bare"
            )

        made = await asyncio.gather(*map(one, which))

        def heard() -> bool:
            return all(
                self.latest.get(("v1/ConfigMap", VICTIM, obj["metadata"]["name"]), (0.0, {}))[1].get("data")
                == obj["data"]
                for obj in made
            )

        await self.until(heard)


def _follows(obj: Json, former: Json | None) -> bool:
    """Whether it is another one, and not only in its status."""
    return former is not None and any(obj.get(part) != former.get(part) for part in ("spec", "data"))


_FOLLOWED_BY_A_CHANGE: tuple[Key, ...] = (
    ("v1/ConfigMap", VICTIM, "hub-config"),
    ("v1/ResourceQuota", f"{VICTIM}-notebooks", "vre"),
    ("apps/v1/Deployment", VICTIM, "hub"),
)


@asynccontextmanager
async def _watching(kube: Kube) -> AsyncIterator[_Seen]:
    """Of the victim alone: no news of the abuser's comes this way."""
    seen = _Seen(kube)
    wanted = [(WISH, VICTIM), *((kind, namespace) for kind, namespace, _ in _FOLLOWED_BY_A_CHANGE)]
    begun = [asyncio.Event() for _ in wanted]
    tasks = [
        asyncio.create_task(seen.follow(kind, namespace, event))
        for (kind, namespace), event in zip(wanted, begun, strict=True)
    ]
    try:
        for event in begun:
            await event.wait()
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _row(deed: str, pairs: Sequence[tuple[Turn, Turn]]) -> Row:
    """Ratios of the same round."""

    def ratios(part: str, share: float) -> list[float]:
        both = ((getattr(turn, part), getattr(alone, part)) for turn, alone in pairs)
        return [quantile(beside, share) / quantile(without, share) for beside, without in both]

    turns = [turn for turn, _ in pairs]
    middle, bare = ratios("objects", 0.5), ratios("bare", 0.5)
    seen = (
        f"last object x {spread(middle)} at p50, x {spread(ratios('objects', 0.99))} at p99;"
        f" status x {spread(ratios('status', 0.5))}; bare client x {spread(bare)}, at p99 x"
        f" {spread(ratios('bare', 0.99))}; {_told_all(turns)}"
    )
    # What a bare client waits as well is no doing of ours.
    least = [ours / theirs for ours, theirs in zip(middle, bare, strict=True)]
    good = statistics.median(middle) < BAR or statistics.median(least) < BAR
    return Row(f"another tenant's change beside {DEEDS[deed]}", "< 1.2 x alone, or x bare", seen, good)


def _told_all(turns: Sequence[Turn]) -> str:
    whole = Turn(turns[0].deed)
    for turn in turns:
        whole.objects += turn.objects
        whole.status += turn.status
        whole.bare += turn.bare
    whole.writes = statistics.median(turn.writes for turn in turns)
    whole.cpu = statistics.median(turn.cpu for turn in turns)
    whole.load = statistics.median(turn.load for turn in turns)
    return _told(whole).partition(": ")[2]


def _told(turn: Turn) -> str:
    def both(values: Sequence[float]) -> str:
        return f"{1000 * quantile(values, 0.5):.0f}/{1000 * quantile(values, 0.99):.0f}"

    return (
        f"{turn.deed}: p50/p99 ms: last object {both(turn.objects)}, status {both(turn.status)}, bare client"
        f" {both(turn.bare)} (n={len(turn.objects)}); {turn.writes:.2g} writes/s;"
        f" operator {100 * turn.cpu:.0f} % of a core; load {turn.load:.1f}"
    )
