"""The operator's rights beside what it uses of them, as the API server's audit log tells it: nothing is granted
that is not used, or held to be given.

A tenant with something of each kind goes through its life: made, disturbed, suspended, deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.oidc import provider
from tests import gateways
from tests.cluster.attacks import pod
from tests.cluster.test_chart import Helm
from tests.site import ACCOUNT, Json, Site, eventually, operating
from tests.unit.components.scenarios import scenario
from vre_operator.api import names
from vre_operator.components import registry

NAME = "rights"
SPACES = (NAME, f"{NAME}-notebooks", f"{NAME}-workflows")

Right = tuple[str, str, str]
"""Group, resource and verb."""

# Nobody can give a right without holding it.
HELD: dict[Right, str] = {
    ("", "pods", "create"): "the hub makes sessions, in its namespace of notebooks",
    ("", "events", "list"): "the hub tells people why a session does not start",
    ("", "events", "watch"): "as above",
    ("", "pods/log", "get"): "REANA keeps the logs of jobs",
    ("", "secrets", "update"): "REANA keeps people's own Secrets; ours are only ever applied",
}
# The tests' clusters have a Lease already, or the first operator would wait to see that it is alone.
FIRST: Right = ("coordination.k8s.io", "leases", "create")
WISH: Json = {
    "catalogue": {"entries": [{"name": "base", "image": "example.org/base:1", "prePull": True}]},
    "storage": {"shares": [{"name": "team", "volume": {"size": "1Gi"}}]},
    "dataLake": {"enabled": True, "daemons": {"groups": ["Rules"]}},
    "workflows": {"enabled": True, "hostname": f"reana.{NAME}.example.org"},
    "deletionPolicy": "Delete",
}
# Whatever a tenant consists of.
KINDS = (
    *("configmaps", "limitranges", "persistentvolumeclaims", "resourcequotas", "secrets", "serviceaccounts"),
    *("services", "daemonsets.apps", "deployments.apps", "statefulsets.apps", "cronjobs.batch", "jobs.batch"),
    *("ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io"),
    *("roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"),
)
ROUTES = "httproutes.gateway.networking.k8s.io"
_OURS = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER}"


def granted(cluster: Cluster) -> set[Right]:
    rules = [
        rule
        for one in Helm(cluster).render()
        if one["kind"] in ("ClusterRole", "Role") and one["metadata"]["name"] == "vre-operator"
        for rule in one["rules"]
    ]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(lines: Iterator[str]) -> set[Right]:
    found: set[Right] = set()
    for event in map(json.loads, lines):
        what = event.get("objectRef") or {}
        if event["user"]["username"] != ACCOUNT or "resource" not in what:
            continue
        resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
        found.add((what.get("apiGroup", ""), resource, event["verb"]))
        if event["verb"] == "patch" and (event.get("responseStatus") or {}).get("code") == 201:
            # An apply that makes something is asked for both rights.
            found.add((what.get("apiGroup", ""), resource, "create"))
    return found


@pytest.fixture(scope="module")
def log(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the audit log has of a tenant's life."""
    with cluster.audit_log.open() as audit:
        audit.seek(0, 2)
        with (
            provider.running(tmp_path_factory.mktemp("provider")) as registry,
            operating(cluster, registry, tmp_path_factory.mktemp("operator"), before=gateways.install) as site,
        ):
            _live(site)
        return [line for line in audit if line.endswith("\n")]


def _live(site: Site) -> None:
    def stands() -> dict[str, set[str]]:
        """UIDs of all that the operator made, by kind and namespace."""
        return {kind: _uids(site, kind) for kind in KINDS}

    site.make(NAME, **WISH)
    eventually(lambda: [kind for kind, there in stands().items() if not there], lambda lacking: not lacking)
    # Without the label it is out of the operator's sight, and is found when it is to be made again.
    for kind in KINDS:
        for one in _items(site, kind):
            meta = one["metadata"]
            site.kubectl("-n", meta["namespace"], "label", kind, meta["name"], f"{names.MANAGED_BY_LABEL}-")
    eventually(lambda: [kind for kind, there in stands().items() if not there], lambda lacking: not lacking)
    # And what is gone is made anew.
    for kind in KINDS:
        if kind != "persistentvolumeclaims":
            meta = _items(site, kind)[0]["metadata"]
            site.kubectl("-n", meta["namespace"], "delete", kind, meta["name"], "--wait=false")
    _route(site)
    session = pod()
    session["metadata"] |= {
        "name": "jupyter-a",
        "labels": {names.TENANT_LABEL: NAME, "component": "singleuser-server"},
    }
    site.kubectl("-n", SPACES[1], "create", "-f", "-", stdin=session)
    site.patch(NAME, suspend=True)
    eventually(lambda: site.get("-n", SPACES[1], "pod", "jupyter-a") is None)
    site.kubectl("-n", NAME, "delete", "vre", "vre", "--timeout=240s", "--wait=true")


def _route(site: Site) -> None:
    """The same with what stands in the place of Ingresses."""
    gateways.make(site)
    site.patch(NAME, exposure={"gateway": gateways.GATEWAY})
    uid = eventually(lambda: _uids(site, ROUTES))
    for meta in [one["metadata"] for one in _items(site, ROUTES)]:
        label = f"{names.MANAGED_BY_LABEL}-"
        site.kubectl("-n", meta["namespace"], "label", ROUTES, meta["name"], label)
    eventually(lambda: _uids(site, ROUTES) == uid)
    site.patch(NAME, exposure={"gateway": None})
    eventually(lambda: not _uids(site, ROUTES))


def _uids(site: Site, kind: str) -> set[str]:
    return {one["metadata"]["uid"] for one in _items(site, kind)}


def _items(site: Site, kind: str) -> list[Json]:
    return [
        one
        for space in SPACES
        for one in (site.get("-n", space, kind, "-l", _OURS) or {"items": []})["items"]
        if "deletionTimestamp" not in one["metadata"]
    ]


def test_nothing_is_granted_that_is_not_used_or_given(cluster: Cluster, log: list[str]) -> None:
    seen = used(iter(log))
    extra = granted(cluster) - seen - HELD.keys() - {FIRST}
    assert extra == set()


def test_what_is_held_to_be_given_is_given(cluster: Cluster) -> None:
    given: set[Right] = set()
    for one in registry.render(scenario("full")):
        if one.id.kind.endswith("/Role"):
            for rule in one.body["rules"]:
                given |= {
                    (g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
                }
    assert HELD.keys() <= given
    assert given <= granted(cluster)


def test_nothing_is_asked_for_in_vain(log: list[str]) -> None:
    """A refusal for lack of rights would be a right that is missing."""
    refused: list[Any] = [
        (event["verb"], event.get("objectRef"))
        for event in map(json.loads, log)
        if event["user"]["username"] == ACCOUNT
        and (event.get("responseStatus") or {}).get("code") == 403
        # Into a namespace that is being deleted nothing is made: that is said with the same status.
        and "being terminated" not in str((event.get("responseStatus") or {}).get("message"))
    ]
    assert refused == []
