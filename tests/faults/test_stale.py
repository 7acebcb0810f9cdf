"""R2: the operator is shown the past. It must spare what the past does not own, and come round."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.faults.conftest import Referee
from tests.faults.plans import judge
from tests.faults.play import DOOR, Player
from tests.faults.report import Tally
from tests.faults.rig.api import KINDS, Json, collection, named
from tests.faults.rig.calls import Call
from tests.faults.rig.oracle import DATA_KINDS, Evidence, Violation, complaints, different
from tests.faults.rig.proxy import Answer, Exchange, Rule
from tests.faults.rig.recorders import Name
from tests.faults.rig.stage import Stage
from tests.faults.rig.streams import Valve, through
from tests.faults.rig.tenant import Tenant
from tests.faults.watching import lists, watches
from tests.faults.workloads import AGAIN, WORKLOADS, Workload
from tests.long import LONG
from vre_operator.api import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600 if LONG else 300)]

_REST = 0.6
_ALWAYS = 1_000_000


# --- what the past is answered with -----------------------------------------------------------------------


def _listed(stage: Stage, kind: str, mark: int, selector: str) -> Answer:
    """The list of a kind as it was."""
    there = stage.recorder.as_of(mark)
    items = [obj for name, obj in there.items() if name.kind == kind and _selected(obj, selector)]
    newest = max((int(obj["metadata"]["resourceVersion"]) for obj in there.values()), default=1)
    body = {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {"resourceVersion": str(newest)}}
    return _json(200, {**body, "items": items})


def _selected(obj: Json, selector: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    key, equals, value = selector.partition("=")
    return not selector or (key in labels and (not equals or labels[key] == value))


def _json(status: int, body: Any) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


@contextmanager
def _in_the_past(stage: Stage, mark: int) -> Iterator[Callable[[], None]]:
    """A new operator whose first lists are those of `mark`; nothing newer is told until the yielded call."""
    valve = Valve(hold=lambda line: True)

    async def old(exchange: Exchange) -> web.StreamResponse:
        kind = next(kind for kind in KINDS if collection(kind) == exchange.call.path)
        selector = exchange.call.query.get("labelSelector", "")
        return await exchange.reply(_listed(stage, kind, mark, selector))

    # Each kind's list once: whoever asks again hears the present.
    told = [Rule(lists(kind), old, "old list") for kind in KINDS]
    watched = [Rule(watches(kind), through(valve.tap), "held", times=_ALWAYS) for kind in KINDS]
    with stage.door.failing(*told, *watched):
        stage.restart()
        yield valve.let_go


def _one_version_old(tenant: Tenant) -> tuple[str, Rule]:
    """The first reading of each of the tenant's objects gives the version before."""
    recorder = tenant.stage.recorder
    told: set[str] = set()

    def match(call: Call) -> bool:
        found = named(call.path) if call.method == "GET" and tenant.owns(call) else None
        if found is None or call.path in told or recorder.before(Name(*found)) is None:
            return False
        told.add(call.path)
        return True

    async def old(exchange: Exchange) -> web.StreamResponse:
        found = named(exchange.call.path)
        assert found is not None
        return await exchange.reply(_json(200, recorder.before(Name(*found))))

    return DOOR, Rule(match, old, "one version old", times=_ALWAYS)


# --- the programmes ---------------------------------------------------------------------------------------


_AGED = ("delete, retain", "delete and make again", "credential", "database grows", "lake off", "hostname")


@pytest.mark.parametrize("workload", [one for one in WORKLOADS if LONG or one.name in _AGED], ids=str)
def test_readings_that_are_one_version_old(player: Player, referee: Referee, workload: Workload) -> None:
    """Whatever a tenant lives through, and above all what is made again under the same name."""
    tally = Tally(f"R2 old readings: {workload}")
    played = player.play(workload, [_one_version_old])
    tally.add(f"{workload}, one version old", judge(str(workload), played, referee(workload)))
    player.bury()
    tally.close()
    assert not tally.failed, tally.verdict()


_EARLIER = [("made again", "dying"), ("made again", "alive"), ("namespace made again", "dying")]
_EARLIER += [("namespace made again", "alive")] if LONG else []


@pytest.mark.parametrize(("how", "past"), _EARLIER)
def test_lists_from_an_earlier_life(player: Player, how: str, past: str) -> None:
    """The operator believes that the earlier VREEnvironment of this name still lives, or is about to die."""
    stage, plan = player.stage, f"{how}, {past}"
    tally = Tally(f"R2 {plan}")
    said = stage.operator.log_size
    tenant = Tenant.new(stage, player.provider)
    tenant.make()
    _ready(tenant)
    marks = {"alive": stage.recorder.mark()}
    if how == "made again":
        tenant.delete()
        stage.until(lambda: tenant.vre is None, "its deletion does not end")
    else:
        stage.api.delete("Namespace", "", tenant.namespace)
        home = Name("Namespace", "", tenant.namespace)
        stage.until(lambda: home not in stage.recorder.objects, "its namespace does not end")
        tenant.prepare()
    marks["dying"] = _when_dying(stage, tenant, marks["alive"])
    tenant.make()
    _ready(tenant)
    before, now = tenant.state(), stage.recorder.mark()
    with _in_the_past(stage, marks[past]) as tell:
        stage.at_rest(_REST, tenant.owns)
        found = _destroyed(stage, tenant, now)
        tell()
        _ready(tenant)
        found += [Violation("1", plan, text) for text in different(before, tenant.state())]
        found += [text for text in _destroyed(stage, tenant, now) if text not in found]
    found += [Violation("4", plan, f"clients: {tenant.clients()}") for _ in range(len(tenant.clients()) != 1)]
    found += [Violation("7", plan, text) for text in complaints(stage.operator.log(said))]
    tally.add(plan, found)
    tally.close()
    stage.restart()
    tenant.delete()
    player.dying.append((tenant, Evidence()))
    player.bury()
    assert not tally.failed, tally.verdict()


def test_an_old_list_in_the_middle_of_the_next_life(player: Player, referee: Referee) -> None:
    """As AGAIN, and the operator that is to make the second life begins with the lists of the first."""
    stage, plan = player.stage, f"{AGAIN}, old lists"
    tally = Tally("R2 old lists")
    tenant = Tenant.new(stage, player.provider)
    tenant.make()
    _ready(tenant)
    mark = stage.recorder.mark()
    tenant.delete()
    stage.until(lambda: tenant.vre is None, "its deletion does not end")
    now = stage.recorder.mark()
    with _in_the_past(stage, mark) as tell:
        tenant.make()
        stage.at_rest(_REST, tenant.owns)
        tell()
        _ready(tenant)
    found = _destroyed(stage, tenant, now)
    found += [
        Violation("1", plan, text) for text in different(referee(AGAIN).played.evidence.state, tenant.state())
    ]
    tally.add(plan, found)
    tally.close()
    stage.restart()
    tenant.delete()
    player.dying.append((tenant, Evidence()))
    player.bury()
    assert not tally.failed, tally.verdict()


def _ready(tenant: Tenant) -> None:
    tenant.stage.until(lambda: tenant.condition() == ("True", "Ready"), f"not Ready: {tenant.reasons()}")
    tenant.stage.at_rest(_REST, tenant.owns)


def _when_dying(stage: Stage, tenant: Tenant, since: int) -> int:
    """Where the history first shows the VREEnvironment with a deletionTimestamp."""
    for number, change in enumerate(stage.recorder.history[since:], start=since + 1):
        if change.name == tenant.key and "deletionTimestamp" in change.object["metadata"]:
            return number
    raise AssertionError("it was never seen dying")


def _destroyed(stage: Stage, tenant: Tenant, since: int) -> list[Violation]:
    """What was deleted of the present life, and any data."""
    found = []
    for change in stage.recorder.since(since, tenant.namespaces, set(KINDS) - {"Event"}):
        if change.type == "DELETED":
            owner = (change.object["metadata"].get("labels") or {}).get(names.TENANT_UID_LABEL, "")
            rule = "3" if change.name.kind in DATA_KINDS or change.name in tenant.kept(0) else "2"
            whose = "the present life" if owner == tenant.uids[-1] else "another life"
            found.append(Violation(rule, "past", f"{change.name} of {whose} was deleted"))
    return found
