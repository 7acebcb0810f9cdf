"""The trial of the walls, as rendered: that it is taken for people's pods, and tries what policies forbid."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.components.network import Address, End, Network, Pod
from tests.unit.components.printing import YamlSnapshots, to_yaml
from tests.unit.components.scenarios import QUICKSTART, SCENARIOS, environment, scenario
from vre_operator.components import ids, isolation, registry
from vre_operator.components.context import Environment
from vre_operator.components.isolation.attempts import CANARY_PORT, NODE, places
from vre_operator.components.package import data_file
from vre_operator.engine.refs import printable
from vre_operator.engine.resources import Resource

WORKFLOW = {"enabled": True, "hostname": "reana.ocean.example.org"}
POD, NODE_ADDRESS = "10.244.0.5", Address("192.168.1.10")
TRIED = [name for name in SCENARIOS if name not in ("hub-off", "suspended")]


def trials(env: Environment) -> dict[str, Resource]:
    """By their namespace."""
    found = isolation.render(env)
    return {one.id.namespace: one for one in found if one.id.kind == "batch/v1/CronJob"}


def pod_of(trial: Resource) -> Pod:
    labels = trial.body["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    return Pod(trial.id.namespace, labels, "10.244.0.9")


def document(env: Environment, namespace: str) -> dict[str, Any]:
    (told,) = (
        one.body["data"]["attempts.json"]
        for one in isolation.render(env)
        if one.id.kind == "v1/ConfigMap" and one.id.namespace == namespace
    )
    found: dict[str, Any] = json.loads(told)
    return found


def behind(resources: Iterable[Resource], host: str, port: int) -> tuple[End, int]:
    """What a Service of the tenant leads to: its pods, and their port."""
    name, namespace, *_ = host.split(".")
    (service,) = [one for one in resources if one.id.kind == "v1/Service" and one.id[2:] == (namespace, name)]
    (target,) = [one["targetPort"] for one in service.body["spec"]["ports"] if one["port"] == port]
    return Pod(namespace, service.body["spec"]["selector"], POD), target


def of_the_tenant(env: Environment, one: Mapping[str, Any]) -> bool:
    return bool({env.namespace, env.workflows} & set(one["host"].split(".")[1:2]))


@pytest.mark.parametrize("name", ["quickstart", "full", "older-workflows"])
def test_it_renders_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    text = to_yaml(isolation.render(scenario(name)))
    program = data_file("vre_operator.components.isolation", "isolation.py")
    indented = "\n".join("      " + line if line else "" for line in program.splitlines())
    assert indented in text
    assert text.replace(indented, "      (files/isolation.py)") == snapshot(extension_class=YamlSnapshots)


@pytest.mark.parametrize("name", TRIED)
def test_every_wall_stands_in_the_policies_and_is_before_something(name: str) -> None:
    env = scenario(name)
    resources = registry.render(env)
    net = Network.of(resources)
    for namespace, trial in trials(env).items():
        told, pod = document(env, namespace), pod_of(trial)
        for one in (told["control"], *told["alive"]):
            assert net.allowed(pod, *behind(resources, one["host"], one["port"])), one
        for one in (told["canary"], *told["walls"]):
            if of_the_tenant(env, one):
                assert not net.possible(pod, *behind(resources, one["host"], one["port"])), one
        for _, port in NODE:
            assert not net.possible(pod, NODE_ADDRESS, port)
        for one in told["walls"]:
            if "credentials" in one["what"]:
                assert not net.possible(pod, Address(one["host"]), 80)


@pytest.mark.parametrize("name", TRIED)
def test_policies_take_it_for_what_people_run(name: str) -> None:
    env = scenario(name)
    net = Network.of(registry.render(env))
    people = {
        env.notebooks: Pod(env.notebooks, ids.SESSION_LABELS),
        env.workflows: Pod(env.workflows, {ids.STEP_LABEL: "1"}),
    }
    ends: list[tuple[End, int]] = [(Address("93.184.216.34"), 443), (Address("10.9.8.7"), 443)]
    for namespace, trial in trials(env).items():
        for end, port in ends:
            assert net.allowed(pod_of(trial), end, port) == net.allowed(people[namespace], end, port)
        # And people reach no more of the canary than anybody else.
        canary = Pod(env.namespace, {"app.kubernetes.io/name": "isolation-canary"} | INSTANCE)
        for port in (8090, 8091):
            assert not net.possible(people[namespace], canary, port)


INSTANCE = {"app.kubernetes.io/instance": "ocean"}


def test_nobody_reaches_the_canary_itself() -> None:
    env = scenario("full")
    net = Network.of(registry.render(env))
    canary = Pod(env.namespace, {"app.kubernetes.io/name": "isolation-canary"} | INSTANCE)
    others: list[End] = [Pod("lake-notebooks", ids.SESSION_LABELS), Address("203.0.113.9"), Pod("vre-system")]
    for other in (*others, *map(pod_of, trials(env).values())):
        assert not net.possible(other, canary, CANARY_PORT)
    assert not net.possible(canary, Address("93.184.216.34"), 443)


def test_the_metadata_of_all_clouds_is_tried() -> None:
    hosts = {one["host"] for one in document(scenario("quickstart"), "ocean-notebooks")["walls"]}
    assert {"169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16"} <= hosts


def test_no_other_tenant_is_named() -> None:
    """A tenant's own admin reads what is in its namespaces."""
    text = to_yaml(isolation.render(scenario("full")))
    assert "kubernetes.default.svc" in text
    hosts = [one["host"] for one in document(scenario("full"), "ocean-notebooks")["walls"]]
    named = [host for host in hosts if ".svc." in host and not host.startswith("kube")]
    assert named
    assert all(host.split(".")[1] in ("ocean", "ocean-workflows") for host in named)


def test_where_nobodys_programs_run_nothing_is_tried() -> None:
    assert not list(isolation.render(scenario("hub-off")))
    assert not list(isolation.render(environment(QUICKSTART, {"isolation": {"enabled": False}})))
    assert [place.namespace for place in places(scenario("older-workflows"))] == ["ocean-workflows"]


def test_it_is_asleep_with_its_tenant() -> None:
    found = list(isolation.render(scenario("suspended")))
    assert [one.body["spec"]["suspend"] for one in found if one.id.kind == "batch/v1/CronJob"] == [True]
    assert [one.body["spec"]["replicas"] for one in found if one.id.kind == "apps/v1/Deployment"] == [0]


def test_the_site_decides_how_often_and_what_it_means_for_ready() -> None:
    (usual,) = trials(scenario("quickstart")).values()
    minute = usual.body["spec"]["schedule"].split()[0]
    assert usual.body["spec"]["schedule"] == f"{minute} * * * *"
    assert usual.advisory
    site = {"isolation": {"hours": 6, "required": True}}
    (strict,) = trials(environment(QUICKSTART, site)).values()
    assert strict.body["spec"]["schedule"] == f"{minute} */6 * * *"
    assert not strict.advisory


def test_a_job_of_it_is_none_of_reanas() -> None:
    """Labels of a Job that has none come from its pods', and REANA's are ended on suspension."""
    env = environment(QUICKSTART | {"workflows": WORKFLOW})
    job = printable(trials(env)[env.workflows].body)["spec"]["jobTemplate"]
    assert ids.STEP_LABEL not in job["metadata"]["labels"]
    assert job["spec"]["template"]["metadata"]["labels"][ids.STEP_LABEL]
