"""A bare cluster with the operator in it: only objects matter here, not pods."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from dev.oidc.provider import Registry
from tests import readymaker
from tests.faults.neighbours.person import Person
from tests.site import Site, operating

# Restarted in the same pod, as the kubelet does it: the lease need not run out first.
AGAIN = {"POD_NAME": "operator-0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One that runs before, named by VRE_BARE_CLUSTER, is used and left."""
    cluster = Cluster(os.environ.get("VRE_BARE_CLUSTER", "nbr"))
    ours = not cluster.running
    cluster.up(node=False, bare=True)
    try:
        with readymaker.running(cluster.kubeconfig):
            yield cluster
    finally:
        if ours:
            cluster.down()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with provider.running(tmp_path_factory.mktemp("provider")) as registry:
        yield registry


@pytest.fixture(scope="module")
def site(cluster: Cluster, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With an operator; at the end its log must hold no traceback."""
    with operating(cluster, registry, tmp_path_factory.mktemp("operator"), AGAIN, kept=True) as site:
        yield site
        assert [line for line in site.operator.log if "traceback" in line] == []


@pytest.fixture
async def person(cluster: Cluster, registry: Registry) -> AsyncIterator[Person]:
    async with Person.at(cluster, registry) as person:
        yield person
