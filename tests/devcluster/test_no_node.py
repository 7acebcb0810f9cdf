"""The cluster without a node: real controllers, pods on paper."""

from collections.abc import Iterator

import pytest

from dev.cluster import Cluster
from tests.devcluster.support import claim, kubectl, pod

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster("papertest")
    cluster.down()
    cluster.up(node=False)
    yield cluster
    cluster.down()


def test_pods_become_ready_and_claims_bound(cluster: Cluster) -> None:
    kubectl(cluster, "apply", "-f", "-", apply=[claim("data"), pod("web", "any", "true", volume="data")])
    kubectl(cluster, "wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    assert kubectl(cluster, "get", "pvc", "data", "-o", "jsonpath={.status.phase}") == "Bound"


def test_jobs_complete(cluster: Cluster) -> None:
    kubectl(cluster, "create", "job", "work", "--image=any")
    kubectl(cluster, "wait", "--for=condition=Complete", "job/work", "--timeout=30s")


def test_access_control_is_on(cluster: Cluster) -> None:
    answer = kubectl(
        cluster, "auth", "can-i", "--list", "--as=system:serviceaccount:default:default", "--no-headers"
    )
    assert "secrets" not in answer


def test_a_running_cluster_does_not_change_its_kind(cluster: Cluster) -> None:
    with pytest.raises(Exception, match="runs with no node"):
        Cluster(cluster.name).up(node=True)
