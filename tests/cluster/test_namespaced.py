"""An operator without cluster rights: in its tenants' namespaces and its own, made by the cluster's admin, it
has the chart's Roles and nothing else. What it asks for is read in the API server's audit log."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests.cluster.test_rights import KINDS, WISH
from tests.site import ACCOUNT, SYSTEM, Json, Site, as_the_chart_has_it, eventually, operating
from vre_operator.api import names
from vre_operator.engine.resources import spaces
from vre_operator.targets.kubernetes.spaces import ENFORCE

ATLAS, KM3NET, VIRGO, OTHER = "nsd-atlas", "nsd-km3net", "nsd-virgo", "nsd-other"
NOWHERE = "nsd-nowhere"  # listed too early
LEVELS = ("baseline", "restricted", "baseline")
OFF: Json = {
    "crds": {"install": False},
    "bounds": {"enforce": False},
    "workflowJobs": {"enforce": False},
    "rbac": {"aggregate": False},
}
VRESITE: Json = {"bounds": {"tenants": 10, "maximum": {"sessions": 5000}}}
_OURS = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER}"


def values(*tenants: str) -> Json:
    return OFF | {"watchNamespaces": list(tenants), "site": {"vresite": VRESITE}}


def namespace(site: Site, name: str, level: str = "") -> None:
    labels = {ENFORCE: level} if level else {}
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    site.kubectl("apply", "-f", "-", stdin=obj)


def upgrade(site: Site, *tenants: str) -> None:
    """As `helm upgrade` does it: the rights, and a new pod."""
    (site.operator.folder / "kubeconfig").write_text(json.dumps(as_the_chart_has_it(site, values(*tenants))))


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    bare = Site(cluster, None, None)  # type: ignore[arg-type]
    for name in (SYSTEM, OTHER):
        namespace(bare, name)
    for tenant in (ATLAS, KM3NET):
        for name, level in zip(spaces(tenant), LEVELS, strict=True):
            namespace(bare, name, level)
    with (
        provider.running(tmp_path_factory.mktemp("provider")) as registry,
        operating(
            cluster,
            registry,
            tmp_path_factory.mktemp("operator"),
            # The API server answers late on a busy machine, and this is about other things.
            {"VRE_LEASE_SECONDS": "60"},
            site_settings={"vresite": VRESITE},
            kept=True,
            values=values(ATLAS, KM3NET),
        ) as site,
    ):
        yield site
        for name in (ATLAS, KM3NET, VIRGO):
            site.kubectl("-n", name, "delete", "vre", "--all", "--timeout=120s")
    made = (OTHER, *spaces(ATLAS), *spaces(KM3NET), *spaces(VIRGO))
    bare.kubectl("delete", "namespace", *made, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def heard(site: Site, cluster: Cluster) -> list[Json]:
    """What the operator asked for while two tenants were made that are listed, and one that is not."""
    with cluster.audit_log.open() as log:
        log.seek(0, os.SEEK_END)
        site.operator.end(signal.SIGTERM)
        site.operator.start()
        for name in (OTHER, ATLAS):
            site.make(name)
        site.make(KM3NET, deletionPolicy="Delete")
        for name in (ATLAS, KM3NET):
            site.settled(name)
        site.kubectl("-n", ATLAS, "delete", "deployment", "proxy")
        eventually(lambda: site.get("-n", ATLAS, "deployment", "proxy"))
        site.settled(ATLAS)
        events = [json.loads(line) for line in log if line.endswith("\n")]
    return [event for event in events if event["user"]["username"] == ACCOUNT]


def test_it_has_roles_and_no_right_of_the_cluster(site: Site, heard: list[Json]) -> None:
    del heard
    for right in ("list namespaces", "get secrets", "list vreenvironments", "list storageclasses"):
        command = ["auth", "can-i", *right.split(), "--as", ACCOUNT, "-n", OTHER]
        assert site.kubectl(*command, check=False).strip() == "no", right


def test_nothing_is_asked_for_in_vain_or_outside(heard: list[Json]) -> None:
    refused = [
        (event["verb"], event["requestURI"])
        for event in heard
        if (event.get("responseStatus") or {}).get("code") == 403
    ]
    assert refused == []
    resources = [event for event in heard if "resource" in (event.get("objectRef") or {})]
    places = Counter(event["objectRef"].get("namespace", "") for event in resources)
    assert set(places) <= {SYSTEM, *spaces(ATLAS), *spaces(KM3NET)}, places
    # kopf asks once which kinds there are, as everybody may.
    others = {event["requestURI"] for event in heard if "resource" not in (event.get("objectRef") or {})}
    assert {uri for uri in others if not re.fullmatch(r"/apis?(/[^/?]+){0,2}", uri)} == set()


def test_a_namespace_that_is_not_listed_is_not_seen(site: Site, heard: list[Json]) -> None:
    del heard
    vre = site.get("-n", OTHER, "vre", "vre")
    assert vre is not None
    assert "status" not in vre
    assert "finalizers" not in vre["metadata"]
    made = site.get("-n", OTHER, "networkpolicies,deployments,secrets", "-l", _OURS)
    assert (made or {"items": []})["items"] == []


def test_the_sites_word_is_in_its_file(site: Site, heard: list[Json]) -> None:
    del heard
    assert site.condition(ATLAS, "WithinBounds")[:2] == ("True", "WithinBounds")


def test_settled_it_costs_nothing_and_a_restart_writes_nothing(site: Site, heard: list[Json]) -> None:
    del heard
    time.sleep(2)
    assert site.requests(lambda: time.sleep(20)) == Counter()
    assert site.operator.end(signal.SIGTERM) == 0
    assert site.writes_of_a_start() == []
    assert site.condition(ATLAS)[1] == "Ready"


@pytest.mark.parametrize("space", spaces(ATLAS))
def test_a_hole_in_a_wall_is_closed(site: Site, heard: list[Json], space: str) -> None:
    del heard
    hole = {"spec": {"ingress": [{}], "policyTypes": ["Ingress"]}}
    site.kubectl("-n", space, "patch", "networkpolicy", "default-deny", "--type=merge", "-p", json.dumps(hole))
    eventually(
        lambda: (site.get("-n", space, "networkpolicy", "default-deny") or {})["spec"]["policyTypes"],
        lambda it: it == ["Ingress", "Egress"],
    )
    site.kubectl("-n", space, "delete", "resourcequota", "vre")
    eventually(lambda: site.get("-n", space, "resourcequota", "vre"))
    site.settled(ATLAS)


def test_the_end_takes_what_people_made_and_leaves_the_namespaces(site: Site, heard: list[Json]) -> None:
    del heard
    own, notebooks, workflows = spaces(KM3NET)
    before = [site.get("namespace", name) for name in spaces(KM3NET)]
    claim: Json = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim-alice", "namespace": notebooks, "labels": {names.TENANT_LABEL: KM3NET}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    site.kubectl("apply", "-f", "-", stdin=claim)
    site.kubectl("-n", workflows, "create", "secret", "generic", "reana-secretsstore-alice")
    site.kubectl("-n", notebooks, "create", "secret", "generic", "pull-secret-of-the-site")
    site.kubectl("-n", own, "delete", "vre", "vre", "--timeout=120s")
    kinds = ",".join((*KINDS, "pods"))
    left = {
        f"{item['kind']} {item['metadata']['name']}"
        for name in spaces(KM3NET)
        for item in (site.get("-n", name, kinds) or {"items": []})["items"]
        if "deletionTimestamp" not in item["metadata"]
    }
    assert left == {
        "ConfigMap kube-root-ca.crt",
        "Role vre-operator",
        "RoleBinding vre-operator",
        "Role vre-tenant-admin",
        "ServiceAccount default",
        "Secret pull-secret-of-the-site",
    }
    assert [site.get("namespace", name) for name in spaces(KM3NET)] == before


def test_a_namespace_that_lacks_is_told_and_found(site: Site, heard: list[Json]) -> None:
    del heard
    own, notebooks, workflows = spaces(VIRGO)
    namespace(site, own, "baseline")
    namespace(site, workflows, "baseline")
    site.make(VIRGO)
    site.operator.end(signal.SIGTERM)
    upgrade(site, ATLAS, KM3NET, VIRGO, NOWHERE)
    site.operator.start()
    message = site.settled(VIRGO, "NamespaceNotFound", "TenancyReady")
    assert f"namespace {notebooks} is missing" in message
    assert f"{ENFORCE}=restricted" in message
    assert "docs/site.md" in message
    assert site.condition(ATLAS)[1] == "Ready", "the others do not wait for it"

    namespace(site, notebooks)
    upgrade(site, ATLAS, KM3NET, VIRGO, NOWHERE)
    message = site.settled(VIRGO, "PodSecurityTooWeak", "TenancyReady")
    command = message.partition("kubectl ")[2]
    site.kubectl(*command.split())
    site.settled(VIRGO)


def test_a_namespace_that_somebody_deletes_is_told_and_filled_again(site: Site, heard: list[Json]) -> None:
    del heard
    notebooks = spaces(VIRGO)[1]
    site.kubectl("delete", "namespace", notebooks, "--timeout=120s")
    site.settled(VIRGO, "NamespaceNotFound", "TenancyReady")
    namespace(site, notebooks, "restricted")
    upgrade(site, ATLAS, KM3NET, VIRGO, NOWHERE)
    site.settled(VIRGO)
    assert site.get("-n", notebooks, "networkpolicy", "default-deny")


def test_all_that_a_tenant_may_have_is_made_with_these_rights(site: Site, heard: list[Json]) -> None:
    """Each kind, also those that the two tenants above have not."""
    del heard
    wish: dict[str, Any] = WISH | {"workflows": {"enabled": True, "hostname": f"reana.{KM3NET}.example.org"}}
    site.make(KM3NET, **wish)

    def lacking() -> list[str]:
        return [
            kind
            for kind in KINDS
            if not any(
                (site.get("-n", name, kind, "-l", _OURS) or {"items": []})["items"] for name in spaces(KM3NET)
            )
        ]

    eventually(lacking, lambda it: not it)
    vre = site.get("-n", KM3NET, "vre", "vre")
    assert vre is not None
    assert "Forbidden" not in {one["reason"] for one in vre["status"]["conditions"]}
    site.kubectl("-n", KM3NET, "delete", "vre", "vre", "--timeout=240s")


def test_the_log_holds_no_traceback(site: Site) -> None:
    log = (Path(site.operator.folder) / "log").read_text()
    assert [line for line in log.splitlines() if "traceback" in line] == []
