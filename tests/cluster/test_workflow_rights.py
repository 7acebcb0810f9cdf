"""What REANA's accounts may do: every verb on everything, asked of a real API server.

Two tenants are beside each other, as the operator makes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from kubernetes import client, config

from dev.cluster import Cluster
from tests.cluster.workflows import ApiServer
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import reana
from vre_operator.components.reana.access import INFRASTRUCTURE
from vre_operator.engine.refs import resolve
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import Desired
from vre_operator.targets.kubernetes.manifest import manifest

ONE, OTHER = "rights-one", "rights-other"
STORE = "reana-secretsstore-1"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (
    *("/pods", "/pods/log", "/pods/exec", "/pods/attach", "/pods/portforward", "/pods/ephemeralcontainers"),
    *("/secrets", "/configmaps", "/services", "/serviceaccounts", "/serviceaccounts/token", "/events"),
    *("/persistentvolumeclaims", "/persistentvolumes", "/resourcequotas", "/limitranges", "/namespaces"),
    *("/nodes", "/nodes/proxy", "apps/deployments", "apps/statefulsets", "apps/daemonsets", "batch/jobs"),
    *("batch/cronjobs", "networking.k8s.io/ingresses", "networking.k8s.io/networkpolicies"),
    *("rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/rolebindings"),
    *("rbac.authorization.k8s.io/clusterroles", "rbac.authorization.k8s.io/clusterrolebindings"),
    *("vre.science/vreenvironments", "vre.science/vreenvironments/status"),
    "admissionregistration.k8s.io/validatingadmissionpolicies",
)
PLACES = ("", *(f"{tenant}{end}" for tenant in (ONE, OTHER) for end in ("", "-notebooks", "-workflows")))
# With the verbs that its code uses and no others: contracts/reana.md section 1.6.
ENGINE = {
    ("/pods", "list"),
    ("/pods", "watch"),
    ("/pods/log", "get"),
    ("batch/jobs", "create"),
    ("batch/jobs", "delete"),
}

Right = tuple[str, str]
"""A resource, and a verb."""


def of_reana(tenant: str) -> list[dict[str, object]]:
    """Its accounts, roles and bindings, as the operator applies them."""
    spec = QUICKSTART | {"workflows": {"enabled": True, "hostname": f"reana.{tenant}.example.org"}}
    owner = Tenant(tenant, tenant, "uid", "cluster")
    made = []
    for one in reana.render(environment(spec, tenant=owner)):
        if one.id.kind.rpartition("/")[2] in ("ServiceAccount", "Role", "RoleBinding"):
            body = resolve(one.body, lambda _: json.dumps([STORE]), str)
            made.append(manifest(owner, Desired(one, body)))
    return made


class Rights:
    """asked: how often the API server was."""

    def __init__(self, cluster: Cluster) -> None:
        connection = config.new_client_from_config(str(cluster.kubeconfig))  # type: ignore[no-untyped-call]
        self._api = client.AuthorizationV1Api(connection)

    def may(self, account: str, verb: str, resource: str, place: str, name: str = "") -> bool:
        space, _, _ = account.partition("/")
        group, _, rest = resource.partition("/")
        kind, _, sub = rest.partition("/")
        attributes = {"verb": verb, "group": group, "resource": kind, "subresource": sub, "namespace": place}
        review: Any = {
            "spec": {
                "user": f"system:serviceaccount:{account.replace('/', ':')}",
                "groups": [
                    *("system:serviceaccounts", "system:authenticated"),
                    f"system:serviceaccounts:{space}",
                ],
                "resourceAttributes": attributes | ({"name": name} if name else {}),
            }
        }
        answer: Any = self._api.create_subject_access_review(review)
        return bool(answer.status.allowed)

    def all(self, account: str, place: str) -> set[Right]:
        return {
            (resource, verb)
            for resource, verb in product(RESOURCES, VERBS)
            if self.may(account, verb, resource, place)
        }


@pytest.fixture(scope="module")
def rights(cluster: Cluster) -> Iterator[Rights]:
    ask = ApiServer(cluster)
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}} for place in PLACES if place
    ]
    objects = [*spaces, *of_reana(ONE), *of_reana(OTHER)]
    done = ask("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})
    assert done.returncode == 0, done.stderr
    yield Rights(cluster)
    ask("delete", "namespace", *(place for place in PLACES if place), "--wait=false")


@pytest.mark.attack("compromised workflow engine", "more rights")
@pytest.mark.parametrize("place", PLACES, ids=[place or "the cluster" for place in PLACES])
def test_an_engine_may_do_this_and_nothing_else(rights: Rights, place: str) -> None:
    """Its token lies open to the code of people's workflows."""
    expected = ENGINE if place == f"{ONE}-workflows" else set()
    assert rights.all(f"{ONE}-workflows/reana-runtime", place) == expected


@pytest.mark.attack("compromised workflow engine", "more rights")
@pytest.mark.parametrize("place", PLACES[1:])
def test_of_secrets_an_engine_reads_people_s_own(rights: Rights, place: str) -> None:
    def found(name: str) -> set[str]:
        account = f"{ONE}-workflows/reana-runtime"
        return {verb for verb in VERBS if rights.may(account, verb, "/secrets", place, name)}

    assert found(STORE) == ({"get"} if place == f"{ONE}-workflows" else set())
    for name in ("reana-secrets", "reana-db-secrets", "reana-admin-access-token", f"{STORE}2", "hub-secrets"):
        assert found(name) == set()


@pytest.mark.parametrize("place", ["", ONE, f"{ONE}-workflows", f"{OTHER}-workflows"])
def test_reana_itself_may_do_this_and_nothing_else(rights: Rights, place: str) -> None:
    expected = {
        (f"{group}/{resource}", verb)
        for rule in INFRASTRUCTURE
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    found = rights.all(f"{ONE}-workflows/reana-infrastructure", place)
    assert found == (expected if place == f"{ONE}-workflows" else set())


def test_the_account_of_jobs_and_sessions_may_do_nothing(rights: Rights) -> None:
    for place in (f"{ONE}-workflows", f"{OTHER}-workflows"):
        assert rights.all(f"{ONE}-workflows/default", place) == set()
