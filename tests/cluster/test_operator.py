"""The operator as a process, before a real API server and a real OpenID provider; its pods are kwok's.

What a tenant lives through, with no time spent on images: made, repaired, changed, suspended, refused, deleted.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests.site import Site, eventually, operating


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        provider.running(tmp_path_factory.mktemp("provider")) as registry,
        operating(cluster, registry, tmp_path_factory.mktemp("operator")) as site,
    ):
        yield site


@pytest.fixture(scope="module")
def tenant(site: Site) -> str:
    site.make("atlas")
    site.settled("atlas")
    return "atlas"


def test_a_tenant_becomes_ready_and_then_costs_nothing(site: Site, tenant: str) -> None:
    """kopf once took our finalizer off as often as we put it on."""

    def there() -> list[str]:
        return site.kubectl("get", "vre", "-A", "-o", "jsonpath={.items[*].metadata.namespace}").split()

    # Those of another module may still be on their way out.
    eventually(there, lambda found: found == [tenant])
    time.sleep(2)
    assert site.requests(lambda: time.sleep(25)) == Counter()
    vre = site.get("-n", tenant, "vre", "vre")
    assert vre is not None
    assert vre["metadata"]["finalizers"] == ["vre.science/finalizer"]
    assert vre["status"]["endpoints"]["url"] == "https://atlas.example.org"
    assert len(site.registry.clients()) == 1
    row = site.kubectl("get", "vre", "-A", "--no-headers").split()
    assert row[:6] == ["atlas", "vre", "True", "Ready", "https://atlas.example.org", "0.1.0"]


def test_a_restart_of_a_settled_operator_writes_nothing(site: Site, tenant: str) -> None:
    assert site.operator.end(signal.SIGTERM) == 0
    assert site.writes_of_a_start() == []
    assert site.condition(tenant)[1] == "Ready"


@pytest.mark.parametrize(
    ("spoil", "path", "value"),
    [
        (("delete", "service", "rucio"), ("spec", "type"), "ClusterIP"),
        (("delete", "deployment", "proxy"), ("spec", "replicas"), 1),
        (("delete", "networkpolicy", "default-deny"), ("spec", "podSelector"), {}),
        (("scale", "deployment/proxy", "--replicas=3"), ("spec", "replicas"), 1),
        (("label", "service/rucio", "vre.science/tenant-namespace-"), ("spec", "type"), "ClusterIP"),
        (
            ("patch", "ingress/vre", "--type=json", "-p", '[{"op":"remove","path":"/spec/tls"}]'),
            ("spec", "tls"),
            None,
        ),
    ],
)
def test_what_a_person_spoils_is_made_good(
    site: Site, tenant: str, spoil: tuple[str, ...], path: tuple[str, str], value: Any
) -> None:
    verb, *rest = spoil
    what = rest[0].replace("/", " ").split() if "/" in rest[0] else rest[:2]
    site.kubectl("-n", tenant, verb, *rest)

    def good() -> bool:
        obj = site.get("-n", tenant, *what)
        if obj is None or obj["metadata"]["labels"].get("vre.science/tenant-namespace") != tenant:
            return False
        seen = obj[path[0]].get(path[1])
        return seen == value if value is not None else seen is not None

    eventually(good)
    site.settled(tenant)


def test_generated_secrets_outlive_everything(site: Site, tenant: str) -> None:
    before = site.get("-n", tenant, "secret", "hub-secrets")
    site.kubectl(
        "-n", tenant, "label", "secret/hub-secrets", "vre.science/tenant-uid-", "app.kubernetes.io/managed-by-"
    )
    time.sleep(2)
    site.operator.end(signal.SIGKILL)
    site.operator.start()
    site.kubectl("-n", tenant, "delete", "deployment", "proxy")
    eventually(lambda: site.get("-n", tenant, "deployment", "proxy"))
    after = site.get("-n", tenant, "secret", "hub-secrets")
    assert before is not None
    assert after is not None
    assert after["data"] == before["data"]


def test_suspend_stops_the_services_and_resume_brings_them_back(site: Site, tenant: str) -> None:
    site.patch(tenant, suspend=True)
    site.settled(tenant, "Suspended")

    def replicas() -> dict[str, int]:
        listed = site.get("-n", tenant, "deployments,statefulsets")
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in (listed or {})["items"]}

    assert set(replicas().values()) == {0}
    site.patch(tenant, suspend=False)
    site.settled(tenant)
    assert set(replicas().values()) == {1}


def test_what_is_switched_off_goes_and_its_data_stays(site: Site, tenant: str) -> None:
    site.patch(tenant, dataLake={"enabled": False})
    site.settled(tenant)
    eventually(lambda: site.get("-n", tenant, "deployment", "rucio") is None)
    assert site.get("-n", tenant, "secret", "rucio-root")
    assert site.get("-n", tenant, "secret", "database-rucio")
    site.patch(tenant, dataLake={"enabled": True})
    site.settled(tenant)
    assert site.get("-n", tenant, "deployment", "rucio")


def test_a_hostname_has_one_tenant(site: Site, tenant: str) -> None:
    site.make("rival", hostname="atlas.example.org")
    message = site.settled("rival", "HostnameTaken")
    assert message == "spec.hostname: another tenant has atlas.example.org. Choose another hostname."
    assert site.get("namespace", "rival-notebooks") is None
    assert site.condition(tenant)[1] == "Ready"
    site.patch("rival", hostname="rival.example.org")
    site.settled("rival")
    site.patch("rival", hostname="atlas.example.org")
    site.settled("rival", "HostnameTaken")
    ingress = site.get("-n", "rival", "ingress", "vre")
    assert ingress is not None
    assert ingress["spec"]["rules"][0]["host"] == "rival.example.org", "what worked goes on"
    site.kubectl("-n", "rival", "delete", "vre", "vre", "--timeout=60s")


def test_a_derived_namespace_of_somebody_else_is_never_adopted(site: Site) -> None:
    site.kubectl("create", "namespace", "ego-notebooks")
    site.kubectl("-n", "ego-notebooks", "create", "configmap", "theirs")
    site.make("ego")
    message = site.settled("ego", "NamespaceTaken", "TenancyReady")
    assert "ego-notebooks" in message
    theirs = site.get("namespace", "ego-notebooks")
    assert theirs is not None
    assert theirs["metadata"]["labels"] == {"kubernetes.io/metadata.name": "ego-notebooks"}
    assert site.kubectl("-n", "ego-notebooks", "get", "roles,networkpolicies", "-o", "name") == ""
    site.kubectl("-n", "ego", "delete", "vre", "vre", "--timeout=60s")
    assert site.get("-n", "ego-notebooks", "configmap", "theirs")


def test_a_second_one_in_a_namespace_touches_nothing(site: Site, tenant: str) -> None:
    first = site.get("-n", tenant, "vre", "vre")
    assert first is not None
    second = {
        "apiVersion": first["apiVersion"],
        "kind": first["kind"],
        "metadata": {"name": "second", "namespace": tenant},
        "spec": first["spec"] | {"hostname": "second.example.org"},
    }
    site.kubectl("apply", "-f", "-", stdin=second)
    eventually(lambda: "NamespaceOccupied" in site.kubectl("-n", tenant, "get", "vre", "second"))
    site.kubectl("-n", tenant, "delete", "vre", "second", "--timeout=30s")
    site.settled(tenant)


def test_a_dead_provider_holds_up_only_what_needs_it(site: Site) -> None:
    site.make(
        "lofar", identity={"issuer": "https://localhost:59999", "provider": "generic-dcr", "allowAll": True}
    )
    site.settled("lofar", "Ready", "DataLakeReady")
    message = site.settled("lofar", "IssuerUnreachable", "IdentityReady")
    assert message.startswith("spec.identity.issuer: ")
    assert site.condition("lofar", "HubReady")[1] == "Waiting"
    site.kubectl("-n", "lofar", "delete", "vre", "vre", "--timeout=60s")


def test_killed_in_the_middle_again_and_again_it_gets_there(site: Site) -> None:
    clients = len(site.registry.clients())
    site.make("fermi")
    for pause in (0.3, 0.8, 1.3, 2.0):
        site.operator.end(signal.SIGKILL)
        site.operator.start()
        time.sleep(pause)
    site.settled("fermi")
    assert len(site.registry.clients()) == clients + 1
    site.kubectl("-n", "fermi", "delete", "vre", "vre", "--wait=false")
    time.sleep(0.5)
    site.operator.end(signal.SIGKILL)
    site.operator.start()
    eventually(lambda: site.get("-n", "fermi", "vre", "vre") is None)
    assert len(site.registry.clients()) == clients


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_deletion_leaves_what_the_policy_says_and_nothing_else(site: Site, policy: str) -> None:
    name = f"km3net-{policy.lower()}"
    clients = len(site.registry.clients())
    site.make(name, deletionPolicy=policy)
    site.settled(name)
    home = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim-alice", "namespace": f"{name}-notebooks"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    site.kubectl("apply", "-f", "-", stdin=home)
    site.kubectl("-n", name, "delete", "vre", "vre", "--timeout=60s")
    kinds = (
        "deployments,statefulsets,jobs,services,ingresses,secrets,persistentvolumeclaims,networkpolicies,"
        "resourcequotas,limitranges,roles,rolebindings,pods"
    )
    left = {
        f"{item['kind']}/{item['metadata']['name']}"
        for namespace in (name, f"{name}-notebooks", f"{name}-workflows")
        for item in (site.get("-n", namespace, kinds) or {"items": []})["items"]
        if "deletionTimestamp" not in item["metadata"]
    }
    data = {
        "PersistentVolumeClaim/claim-alice",
        "PersistentVolumeClaim/database",
        "Secret/database-superuser",
        "Secret/database-hub",
        "Secret/database-rucio",
        "Secret/hub-secrets",
        "Secret/rucio-root",
    }
    assert left == (data if policy == "Retain" else set())
    assert len(site.registry.clients()) == clients
    namespace = site.get("namespace", name)
    assert namespace is not None
    assert not [label for label in namespace["metadata"]["labels"] if "pod-security" in label or "vre" in label]
    if policy == "Retain":
        site.make(name)
        site.settled(name)
        site.kubectl("-n", name, "delete", "vre", "vre", "--timeout=60s")


def test_the_log_holds_no_traceback(site: Site) -> None:
    assert [line for line in site.operator.log if "traceback" in line] == []
