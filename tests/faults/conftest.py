"""One bare cluster and one operator for all programmes; the share of CI, or with VRE_LONG=1 everything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from dev.cluster import Cluster
from tests.faults.plans import Reference, refer
from tests.faults.play import Player
from tests.faults.rig.identity import Strict
from tests.faults.rig.stage import Stage, stage
from tests.faults.workloads import CREATE, Workload
from tests.long import LONG

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""Of pytest-xdist: each process has a cluster of its own."""


_LONGEST = (
    "tests/rucio/test_faults.py",
    "keycloak-dcr",
    "keycloak-admin",
    *("delete and make again", "delete, delete", "delete, retain", "create", "notebooks off", "notebooks on"),
    "lake off",
)
_SHORTEST = ("test_renders", "test_model")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With VRE_LONG=1 the longest come first: begun late, one of them alone decides when the whole run ends."""
    if LONG:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    about = re.split(r"::|\[(?:\d+-)?", item.nodeid.removesuffix("]"))
    turns = (turn for turn, name in enumerate(_LONGEST) if name in about)
    return next(turns, len(_LONGEST) + (item.path.stem in _SHORTEST))


@pytest.fixture(scope="session")
def bare() -> Iterator[Cluster]:
    """A cluster for this test session; one that ran before, named by VRE_FAULT_CLUSTER, is used and left."""
    cluster = Cluster(os.environ.get("VRE_FAULT_CLUSTER", f"faults{WORKER}"))
    ours = not cluster.running
    cluster.up(node=False, bare=True)
    yield cluster
    if ours:
        cluster.down()


@pytest.fixture(scope="session")
def on_stage(bare: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(bare, tmp_path_factory.mktemp("stage")) as made:
        yield made


Referee = Callable[[Workload], Reference]


@pytest.fixture(scope="session")
def referee(player: Player) -> Referee:
    """Undisturbed runs, made once each. A field that differs by itself fails here: mask it by name."""

    @cache
    def of(workload: Workload) -> Reference:
        runs = 3 if LONG else 2 if workload is CREATE else 1
        reference, differences = refer(player, workload, runs)
        assert not differences
        assert [str(flaw) for flaw in reference.flaws] == []
        return reference

    return of


@pytest.fixture(scope="session")
def player(on_stage: Stage) -> Player:
    """With tenants at oidc-provider."""
    return Player(on_stage, Strict(on_stage.registry), on_stage.issuer)
