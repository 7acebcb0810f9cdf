"""What a tenant is told of namespaces that the cluster's admin makes, and how often they are looked at."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.components.scenarios import scenario
from vre_operator.components import registry, tenancy
from vre_operator.engine.errors import Conflict, Forbidden, NotFound, TargetError
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, State
from vre_operator.kube.scope import CLUSTER, Scope
from vre_operator.targets.kubernetes.cache import FOLLOWED
from vre_operator.targets.kubernetes.external import External
from vre_operator.targets.kubernetes.manifest import GATEWAY
from vre_operator.targets.kubernetes.spaces import ENFORCE, Spaces

ENV = scenario("full")
TENANT = ENV.tenant
SPACES = {one.id.name: Desired(one, one.body) for one in tenancy.render(ENV) if one.id.kind == "v1/Namespace"}
OWN, NOTEBOOKS, WORKFLOWS = TENANT.namespace, TENANT.notebooks_namespace, TENANT.workflows_namespace


class Kube:
    """Namespaces by their labels, or the error for them; claims and Secrets of people."""

    def __init__(self) -> None:
        self.labels: dict[str, dict[str, str] | TargetError] = {
            OWN: {ENFORCE: "baseline"},
            NOTEBOOKS: {ENFORCE: "restricted"},
            WORKFLOWS: {ENFORCE: "baseline"},
        }
        self.ending = False
        self.asked: list[str] = []
        self.held: dict[str, list[str]] = {"v1/PersistentVolumeClaim": [], "v1/Secret": []}
        self.selectors: list[str] = []
        self.refusal: TargetError | None = None

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        assert (kind, namespace) == ("v1/Namespace", "")
        self.asked.append(name)
        found = self.labels[name]
        if isinstance(found, TargetError):
            raise found
        ending = {"deletionTimestamp": "now"} if self.ending else {}
        return {"metadata": {"name": name, "labels": found, **ending}}

    async def list(self, kind: str, namespace: str, *, selector: str = "") -> list[dict[str, Any]]:
        if self.refusal:
            raise self.refusal
        self.selectors.append(selector)
        api_version, _, short = kind.rpartition("/")
        return [
            {
                "apiVersion": api_version,
                "kind": short,
                "metadata": {"name": name, "namespace": namespace, "uid": name},
            }
            for name in self.held[kind]
        ]

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> bool:
        assert uid == name
        if name == "claim-gone":
            raise Conflict("another one by now")
        self.held[kind].remove(name)
        return True


@pytest.fixture
def kube() -> Kube:
    return Kube()


async def look(spaces: Spaces, name: str) -> Observation:
    seen = spaces.observe(SPACES[name])
    return await seen if inspect.isawaitable(seen) else seen


@pytest.mark.parametrize("name", SPACES)
async def test_one_that_is_as_it_should_be_is_looked_at_once_an_hour(kube: Kube, name: str) -> None:
    now = [0.0]
    spaces = Spaces(kube, lambda: now[0])  # type: ignore[arg-type]
    for now[0] in (0.0, 20.0, 3599.0):
        seen = await look(spaces, name)
        assert (seen.presence, seen.readiness.ready, seen.recheck_after) == (Presence.SYNCED, True, None)
    assert kube.asked == [name]
    now[0] = 3601.0
    kube.labels[name] = {}
    assert not (await look(spaces, name)).readiness.ready


@pytest.mark.parametrize("error", [NotFound("x"), Forbidden("x")])
async def test_one_that_lacks_is_told_with_the_next_step_and_looked_for(kube: Kube, error: TargetError) -> None:
    now = [0.0]
    spaces = Spaces(kube, lambda: now[0])  # type: ignore[arg-type]
    kube.labels[NOTEBOOKS] = error
    seen = await look(spaces, NOTEBOOKS)
    assert seen.presence is Presence.SYNCED, "nothing is to be made here"
    assert (seen.readiness.state, seen.readiness.reason) == (State.FAILED, "NamespaceNotFound")
    for words in (f"namespace {NOTEBOOKS} is missing", f"{ENFORCE}=restricted", "docs/site.md"):
        assert words in seen.readiness.message
    assert seen.recheck_after == 15
    kube.labels[NOTEBOOKS] = {ENFORCE: "restricted"}
    now[0] = 16.0
    assert (await look(spaces, NOTEBOOKS)).readiness.ready


@pytest.mark.parametrize(
    ("name", "level", "well"),
    [
        (NOTEBOOKS, "", False),
        (NOTEBOOKS, "privileged", False),
        (NOTEBOOKS, "baseline", False),
        (NOTEBOOKS, "nonsense", False),
        (OWN, "privileged", False),
        (OWN, "restricted", True),
        (WORKFLOWS, "privileged", False),
    ],
)
async def test_pod_security_is_enforced_or_told(kube: Kube, name: str, level: str, well: bool) -> None:
    kube.labels[name] = {ENFORCE: level} if level else {}
    seen = await look(Spaces(kube), name)  # type: ignore[arg-type]
    assert seen.readiness.ready is well
    if not well:
        assert seen.readiness.reason == "PodSecurityTooWeak"
        wanted = "restricted" if name == NOTEBOOKS else "baseline"
        assert f"kubectl label namespace {name} {ENFORCE}={wanted} --overwrite" in seen.readiness.message


async def test_workflows_can_come_later_without_the_clusters_admin(kube: Kube) -> None:
    env = scenario("quickstart")
    (one,) = (r for r in tenancy.render(env) if r.id.name == env.tenant.workflows_namespace)
    assert one.body["metadata"]["labels"][ENFORCE] == "restricted"
    kube.labels[one.id.name] = {ENFORCE: "baseline"}
    seen = Spaces(kube).observe(Desired(one, one.body))  # type: ignore[arg-type]
    assert inspect.isawaitable(seen)
    assert (await seen).readiness.ready


async def test_one_that_goes_is_told_and_a_doubt_looks_at_once(kube: Kube) -> None:
    spaces = Spaces(kube)  # type: ignore[arg-type]
    assert (await look(spaces, NOTEBOOKS)).readiness.ready
    kube.ending = True
    assert (await look(spaces, NOTEBOOKS)).readiness.ready
    spaces.doubt(NOTEBOOKS)
    assert (await look(spaces, NOTEBOOKS)).readiness.state is State.PROGRESSING


def space(name: str) -> ResourceId:
    return ResourceId("kubernetes", "v1/Namespace", "", name)


async def test_the_end_takes_what_people_made_where_data_may_go(kube: Kube) -> None:
    spaces = Spaces(kube)  # type: ignore[arg-type]
    kube.held = {
        "v1/PersistentVolumeClaim": ["claim-alice", "claim-gone"],
        "v1/Secret": ["reana-secretsstore-1", "pull"],
    }
    assert await spaces.delete(TENANT, space(NOTEBOOKS), data=False)
    assert await spaces.delete(TENANT, space(OWN), data=True)
    assert kube.selectors == [], "nothing was looked for"
    assert not await spaces.delete(TENANT, space(NOTEBOOKS), data=True)
    assert kube.held == {"v1/PersistentVolumeClaim": ["claim-gone"], "v1/Secret": ["pull"]}
    assert f"vre.science/tenant={TENANT.namespace}" in kube.selectors, "of others nothing"
    kube.held["v1/PersistentVolumeClaim"] = []
    assert await spaces.delete(TENANT, space(NOTEBOOKS), data=True)


async def test_the_end_does_not_wait_for_a_namespace_that_is_gone(kube: Kube) -> None:
    kube.refusal = Forbidden("its Role went with it")
    assert await Spaces(kube).delete(TENANT, space(NOTEBOOKS), data=True)  # type: ignore[arg-type]


def test_a_scope_names_where_to_look() -> None:
    scope = Scope(("atlas", "lhcb"), "vre")
    assert scope.wishes == ("atlas", "lhcb")
    assert scope.tenants == (
        *("atlas", "atlas-notebooks", "atlas-workflows"),
        *("lhcb", "lhcb-notebooks", "lhcb-workflows"),
    )
    assert scope.secrets == (*scope.tenants, "vre")
    assert (scope.door, CLUSTER.door) == (("vre",), ())
    assert set(FOLLOWED) - set(scope.seen(FOLLOWED)) == {"v1/Namespace"}
    assert CLUSTER.wishes == CLUSTER.tenants == CLUSTER.secrets == ("",)
    assert CLUSTER.seen(FOLLOWED) == list(FOLLOWED)


@pytest.mark.parametrize("scope", [CLUSTER, Scope(("atlas",))])
def test_classes_that_cannot_be_read_are_taken_at_their_word(scope: Scope) -> None:
    tenant: Tenant = TENANT
    external = External(None, lambda key: None, scope=scope)  # type: ignore[arg-type]
    found = {
        one.id.kind: external.observe(tenant.key, one)
        for one in (*tenancy.render(ENV), *registry.render(scenario("gateway")))
        if one.id.kind in ("storage.k8s.io/v1/StorageClass", GATEWAY)
    }
    assert len(found) == 2
    for seen in found.values():
        assert isinstance(seen, Observation)
        assert seen.readiness.ready is scope.limited


def test_the_namespaces_of_the_examples_are_what_the_operator_would_make() -> None:
    text = (Path(__file__).parents[3] / "examples/site/namespaces.yaml").read_text()
    said = {one["metadata"]["name"]: one["metadata"]["labels"] for one in yaml.safe_load_all(text)}
    wanted = {
        name.replace(ENV.namespace, "atlas"): desired.body["metadata"]["labels"]
        for name, desired in SPACES.items()
    }
    assert said == wanted
