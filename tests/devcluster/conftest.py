"""The cluster that these tests share; the tests of other modes have their own."""

from collections.abc import Iterator

import pytest

from dev.cluster import Cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A cluster with a node."""
    cluster = Cluster("devtest")
    cluster.down()
    cluster.up()
    yield cluster
    cluster.down()
