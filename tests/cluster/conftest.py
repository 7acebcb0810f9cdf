"""Tests that need an API server and no node: real admission, defaults, CEL and garbage collection, no pods."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.cluster import Cluster
from tests.cluster.world import World, following, new_tenant


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster for this test session; one that ran before, named by VRE_TEST_CLUSTER, is used and left."""
    cluster = Cluster(os.environ.get("VRE_TEST_CLUSTER", "api"))
    ours = not cluster.running
    cluster.up(node=False)
    yield cluster
    if ours:
        cluster.down()


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[World]:
    """A tenant of this test's own, and a target that follows it."""
    async with following(cluster, await new_tenant(cluster)) as world:
        yield world
