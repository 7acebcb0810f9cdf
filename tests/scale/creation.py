"""Tenants made: from the wish to the last object, by each contender, in a world of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import readymaker
from tests.scale import compare, processes, tenants
from tests.scale.audit import Asked
from tests.scale.contenders import Contender
from tests.scale.rig import Rig
from tests.scale.tenants import Json, Key, Rendered
from tests.scale.witness import WISH, Witness
from vre_operator.api.validate import load_site

SETTLE_SECONDS = 2.0
QUIET_SECONDS = 1.0
_SAMPLE = 25
_OBJECTS_A_SECOND = 12
"""A contender that is slower than this has failed; kubectl and helm manage twenty."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one contender did with `size` tenants at once.

    seconds: from the first wish to the last object, on the witness's clock; tenants: the same, for each tenant.
    ready: to the last VREEnvironment's Ready, None for those who know none.
    waiting: seconds in which nothing could be applied because something was not ready, for one tenant of ours.
    cpu: seconds of each process, until all is quiet. rss: bytes of the contender afterwards.
    queued, rejected: seconds and requests in the API server's priority queues.
    """

    contender: str
    size: int
    objects: int
    seconds: float
    tenants: tuple[float, ...]
    ready: float | None
    waiting: float | None
    cpu: dict[str, float]
    rss: int
    asked: Counter[Asked]
    queued: float
    rejected: float


def turn(
    world: Rig,
    contender: Contender,
    sizes: Sequence[int],
    rendered: Callable[[int], Sequence[Rendered]],
    say: Callable[[str], None],
) -> tuple[list[Made], dict[Key, Json]]:
    """A tenant to get warm with, then each number of tenants; the second value is what stands in the end."""
    made: list[Made] = []
    stands: dict[Key, Json] = {}
    try:
        contender.start()
        say("warming up")
        make(world, contender, rendered(0))
        for size in sizes:
            if size <= contender.largest:
                say(f"{size} at once")
                group = rendered(size)
                made.append(make(world, contender, group))
                stands |= standing(world, group)
    finally:
        contender.end()
    return made, stands


def standing(world: Rig, group: Sequence[Rendered]) -> dict[Key, Json]:
    """What stands, as compare.standing has it; of many tenants a sample, the same for every contender."""
    some = group[:: max(1, len(group) // _SAMPLE)]
    names = [name for tenant in some for name in tenant.namespaces]
    return world.api(partial(compare.standing, namespaces=names))


def make(world: Rig, contender: Contender, group: Sequence[Rendered]) -> Made:
    """Have these tenants made and watch it."""
    seen = world.witness
    if not contender.makes_namespace:
        world.welcome(tenant.namespace for tenant in group)
    contender.load(group)
    time.sleep(SETTLE_SECONDS)
    seen.quiet(QUIET_SECONDS)
    world.audit.skip()
    queued, rejected = world.waited()
    before, spent = processes.costs(world.parts), contender.spent()

    began = time.monotonic()
    contender.create(group)
    keys = {key for tenant in group for key in tenant.keys}
    missing = set(keys)

    def complete() -> bool:
        missing.difference_update([key for key in missing if seen.first(key, began)])
        return not missing

    seen.until(complete, 30 + len(keys) / _OBJECTS_A_SECOND, f"{contender.name} makes {len(keys)} objects")
    wishes = [(WISH, tenant.namespace, tenants.NAME) for tenant in group]
    if knows := seen.first(wishes[0], began) is not None:
        seen.until(lambda: all(_ready(seen, wish) for wish in wishes), 60 + len(wishes), "all are Ready")
    seen.quiet(QUIET_SECONDS)
    after = processes.costs(world.parts)
    cpu = {name: after[name].cpu - before[name].cpu for name in after} | {
        "contender": contender.spent() - spent
    }
    now_queued, now_rejected = world.waited()
    each = tuple(_last(seen, tenant.keys, began) - began for tenant in group)
    return Made(
        contender=contender.name,
        size=len(group),
        objects=len(keys),
        seconds=max(each),
        tenants=each,
        ready=max(_ready(seen, wish) for wish in wishes) - began if knows else None,
        waiting=waiting(seen, group[0], began) if knows and len(group) == 1 else None,
        cpu=cpu,
        rss=contender.rss(),
        asked=world.audit.read(contender.user),
        queued=now_queued - queued,
        rejected=now_rejected - rejected,
    )


def waiting(seen: Witness, tenant: Rendered, began: float) -> float:
    """Seconds until the last object in which none could be applied: what each one needs was not ready yet."""
    able = sorted((_able(seen, tenant, key, began), _seen(seen, key, began)) for key in tenant.keys)
    idle, until = 0.0, began
    for start, end in able:
        idle += max(0.0, start - until)
        until = max(until, end)
    return idle


def _able(seen: Witness, tenant: Rendered, key: Key, began: float) -> float:
    """When everything that it needs was ready."""
    needs = tenant.needs.get(key, frozenset()) & tenant.keys
    return max((_works(seen, need, began) for need in needs), default=began)


def _works(seen: Witness, key: Key, began: float) -> float:
    """When it was ready: a workload with its first change of status, anything else as soon as it stands."""
    if key[0] not in readymaker.KINDS:
        return _seen(seen, key, began)
    return next(it.at for it in seen.by_key[key] if it.at >= began and it.type == "MODIFIED")


def _seen(seen: Witness, key: Key, began: float) -> float:
    sight = seen.first(key, began)
    assert sight
    return sight.at


def _last(seen: Witness, keys: Iterable[Key], began: float) -> float:
    return max(_seen(seen, key, began) for key in keys)


def _ready(seen: Witness, wish: Key) -> float:
    """When the tenant was Ready; 0 if it is not."""
    return next((it.at for it in seen.by_key.get(wish, ()) if it.ready == "Ready"), 0.0)


def render(folder: Path, wishes: Iterable[Json], site: Json) -> list[Rendered]:
    """All of these tenants, and their files in `folder`."""
    checked = load_site(site)
    rendered = [tenants.render(wish, checked) for wish in wishes]
    tenants.write_lines(folder, rendered)
    return rendered
