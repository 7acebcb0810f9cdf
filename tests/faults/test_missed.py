"""R3: news that come late, not at all, or through a watch that is open and says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.play import Player
from tests.faults.report import Tally
from tests.faults.rig.api import KINDS
from tests.faults.rig.oracle import DATA_KINDS, Evidence, Violation, complaints, judged, untrue
from tests.faults.rig.recorders import Name, counted
from tests.faults.rig.stage import Hung, Stage
from tests.faults.rig.tenant import Tenant
from tests.faults.watching import listening
from tests.long import LONG
from vre_operator.api import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600 if LONG else 300)]

_SILENCE = {"VRE_WATCH_SILENCE_SECONDS": "3"}
_WAYS = ("held", "gap", "silent")
# What may be deleted without harm; of the others a label goes.
_KEPT = ("PersistentVolumeClaim", "Namespace")
_CHILDREN = {
    "Secret": "hub-login",
    "ConfigMap": "hub-config",
    "Service": "proxy-public",
    "ServiceAccount": "hub",
    "PersistentVolumeClaim": "database",
    "ResourceQuota": "vre",
    "LimitRange": "vre",
    "Deployment": "hub",
    "StatefulSet": "database",
    "DaemonSet": "",
    "Job": "",
    "NetworkPolicy": "default-deny",
    "Ingress": "vre",
    "Role": "hub",
    "RoleBinding": "hub",
    "Namespace": "",
}


@pytest.fixture(scope="module")
def tenant(player: Player) -> Iterator[Tenant]:
    made = Tenant.new(player.stage, player.provider)
    made.make(catalogue={"entries": [{"name": "base", "image": "example.org/base:1", "prePull": True}]})
    player.stage.until(lambda: made.condition()[1] == "Ready", "not Ready")
    player.stage.at_rest(0.6, made.owns)
    yield made
    player.stage.restart()
    made.delete()
    player.dying.append((made, Evidence()))
    player.bury()


def _child(tenant: Tenant, kind: str) -> Name:
    """One object of the tenant's."""
    wanted = _CHILDREN[kind]
    if kind == "Namespace":
        return Name(kind, "", tenant.namespaces[1])
    return next(
        name
        for name, obj in sorted(tenant.stage.recorder.within(tenant.namespaces).items())
        if name.kind == kind
        and wanted in ("", name.name)
        and names.MANAGED_BY_LABEL in obj["metadata"]["labels"]
    )


def _spoil(tenant: Tenant, child: Name) -> Callable[[], bool]:
    """Delete it, or take a label off; whether that was made good."""
    api = tenant.stage.api
    uid: str = tenant.stage.recorder.objects[child]["metadata"]["uid"]
    if child.kind in _KEPT:
        change = {"metadata": {"labels": {names.PART_OF_LABEL: None}}}
        spoiled = api.patch(child.kind, child.namespace, child.name, change)
        version = int(spoiled["metadata"]["resourceVersion"])
    else:
        api.delete(child.kind, child.namespace, child.name)
        version = 0

    def whole() -> bool:
        metadata = tenant.stage.recorder.objects.get(child, {}).get("metadata", {})
        if names.PART_OF_LABEL not in metadata.get("labels", {}):
            return False
        return int(metadata["resourceVersion"]) > version if version else metadata["uid"] != uid

    return whole


def _touch(tenant: Tenant, value: str) -> None:
    """A change that means nothing and brings a pass."""
    change = {"metadata": {"annotations": {"example.org/touched": value}}}
    tenant.stage.api.patch(tenant.key.kind, tenant.namespace, tenant.key.name, change)

    def seen() -> bool:
        return bool(
            ((tenant.vre or {})["metadata"].get("annotations") or {}).get("example.org/touched") == value
        )

    tenant.stage.until(seen, "the recorder does not see a change")


def _missed(tenant: Tenant, child: Name, way: str) -> None:
    """Spoil `child` where the operator does not hear of it at once, and wait until it is whole."""
    stage = tenant.stage
    streams = 1 if way == "silent" else 1_000_000
    with listening(stage, child.kind, streams=streams, **(_SILENCE if way == "silent" else {})) as news:
        if way == "held":
            news.withhold(child.namespace, child.name)
            whole = _spoil(tenant, child)
            # Passes over the stale picture: what was held comes after what came later.
            _touch(tenant, f"{way} {child.kind}")
            stage.at_rest(0.6, tenant.owns)
            news.valve.let_go()
        elif way == "gap":
            with news.gap():
                whole = _spoil(tenant, child)
        else:
            news.valve.silent = True
            whole = _spoil(tenant, child)
        stage.until(whole, f"{child} stays as it was spoiled")
        stage.until(lambda: tenant.condition()[1] == "Ready", "not Ready")
        stage.at_rest(0.6, tenant.owns)
    _touch(tenant, "")


def _seen(tenant: Tenant, mark: int, said: int) -> Evidence:
    stage = tenant.stage
    changes = stage.recorder.since(mark, tenant.namespaces, set(KINDS) - {"Event", "Pod"})
    gone = {change.name for change in changes if change.type == "DELETED"}
    return Evidence(
        state=tenant.state(),
        created=Counter({tenant.plain(str(name)): count for name, count in counted(changes, "ADDED").items()}),
        deleted=Counter(
            {tenant.plain(str(name)): count for name, count in counted(changes, "DELETED").items()}
        ),
        clients=tenant.clients(),
        lost={name for name in gone if name.kind in DATA_KINDS or name in tenant.kept(0)},
        untrue=untrue(tenant.vre, stage.recorder.within(tenant.namespaces)),
        log=stage.operator.log(said),
    )


def test_children(tenant: Tenant) -> None:
    """Each kind is missed in each way; CI takes one way for each kind."""
    stage, tally = tenant.stage, Tally("R3 children")
    plans = [(kind, way) for kind in _CHILDREN for way in _WAYS]
    chosen = plans if LONG else [(kind, _WAYS[turn % 3]) for turn, kind in enumerate(_CHILDREN)]
    for kind, way in chosen:
        plan = f"{kind}, {way}"
        child = _child(tenant, kind)
        _touch(tenant, "")
        before = _seen(tenant, stage.recorder.mark(), stage.operator.log_size)
        mark, said = stage.recorder.mark(), stage.operator.log_size
        if kind not in _KEPT:
            # By a person, and made good by the operator: once each.
            before.created[tenant.plain(str(child))] = before.deleted[tenant.plain(str(child))] = 1
        try:
            _missed(tenant, child, way)
        except Hung as hung:
            tally.add(plan, [Violation("0", plan, str(hung))])
            stage.restart()
            continue
        tally.add(plan, judged(plan, _seen(tenant, mark, said), before, consent=False))
    tally.close()
    assert not tally.failed, tally.verdict()


@pytest.mark.parametrize("way", _WAYS)
def test_a_change_of_the_wish(tenant: Tenant, way: str) -> None:
    """The newest wish is carried out, however late it is heard of."""
    stage = tenant.stage
    streams = 1 if way == "silent" else 1_000_000
    plan = f"VREEnvironment, {way}"
    tally = Tally(f"R3 {plan}")
    wanted = {"maxSessions": 50, "culling": {"idleSeconds": 3600}}
    tenant.patch(notebooks=wanted)
    stage.until(lambda: tenant.condition() == ("True", "Ready"), "not Ready")
    stage.at_rest(0.6, tenant.owns)
    before = _seen(tenant, stage.recorder.mark(), stage.operator.log_size)
    mark, said = stage.recorder.mark(), stage.operator.log_size
    with listening(stage, tenant.key.kind, streams=streams, **(_SILENCE if way == "silent" else {})) as news:
        if way == "held":
            news.withhold(tenant.namespace, tenant.key.name)
            tenant.patch(notebooks={"maxSessions": 7})
            tenant.patch(notebooks=wanted)
            stage.at_rest(0.6, tenant.owns)
            tenant.patch(notebooks={"culling": {"idleSeconds": 900}})
            news.valve.let_go()
        elif way == "gap":
            with news.gap():
                tenant.patch(notebooks={"culling": {"idleSeconds": 900}})
        else:
            news.valve.silent = True
            tenant.patch(notebooks={"culling": {"idleSeconds": 900}})
        stage.until(lambda: tenant.condition() == ("True", "Ready"), "the newest wish is not seen")
        assert "900" in str(tenant.state()["ConfigMap/$tenant/hub-config"])
        tenant.patch(notebooks=wanted)
        stage.until(lambda: tenant.condition() == ("True", "Ready"), "the newest wish is not seen")
        stage.at_rest(0.6, tenant.owns)
    tally.add(plan, judged(plan, _seen(tenant, mark, said), before, consent=False))
    tally.close()
    assert not tally.failed, tally.verdict()


def test_who_vanished_unseen_holds_nothing(player: Player, tenant: Tenant) -> None:
    """A VREEnvironment without our finalizer goes at once; if that is missed, no event ever tells."""
    stage, tally = player.stage, Tally("R3 vanished VREEnvironment")
    wanted = f"lake.{tenant.host}"
    ghost, heir = Tenant.new(stage, player.provider), Tenant.new(stage, player.provider)
    with listening(stage, tenant.key.kind) as news:
        # Refused for the hostname of somebody else, and so without a finalizer; the lake's is its own wish.
        ghost.make(hostname=tenant.host, dataLake={"enabled": True, "hostname": wanted})
        stage.until(lambda: ghost.condition()[1] == "HostnameTaken", "not refused")
        with news.gap():
            ghost.delete()
            stage.until(lambda: ghost.vre is None, "it has a finalizer")
        heir.make(dataLake={"enabled": True, "hostname": wanted})
        try:
            stage.until(lambda: heir.condition() == ("True", "Ready"), f"{wanted} is held by nobody", 20)
            found = []
        except Hung as hung:
            found = [Violation("1", "vanished", f"{hung}, and yet refused: {heir.reasons()}")]
    tally.add("vanished", [*found, *_errors(stage)])
    tally.close()
    stage.restart()
    player.dying += [(heir, Evidence()), (ghost, Evidence())]
    heir.delete()
    player.bury()
    assert not tally.failed, tally.verdict()


def _errors(stage: Stage) -> list[Violation]:
    return [Violation("7", "vanished", text) for text in complaints(stage.operator.log()[-50:])]
