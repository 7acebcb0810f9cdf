"""Tests that need an API server and no node: real admission, defaults, CEL and garbage collection, no pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of this test session's own."""
    cluster = Cluster("api")
    cluster.up(node=False)
    yield cluster
    cluster.down()
