"""Subset comparison: what is stated must be there; what others add stays, except where it is a hole."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vre_operator.engine.compare import differences


def paths(wanted: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [difference.path for difference in differences(wanted, live)]


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def pod(**container: Any) -> dict[str, Any]:
    return spec(template={"spec": {"containers": [{"name": "c", **container}]}})


SAME = {
    "defaults are the server's": (pod(image="a"), pod(image="a", imagePullPolicy="Always")),
    "a container of somebody's": (
        pod(image="a"),
        spec(template={"spec": {"containers": [{"name": "sidecar"}, {"name": "c", "image": "a"}]}}),
    ),
    "a variable of somebody's": (
        pod(env=[{"name": "A", "value": "1"}]),
        pod(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    ),
    "a port's default protocol": (
        pod(ports=[{"containerPort": 80}]),
        pod(ports=[{"containerPort": 80, "protocol": "TCP"}]),
    ),
    "two ports of one number": (
        spec(
            ports=[{"port": 53, "protocol": "UDP", "name": "u"}, {"port": 53, "protocol": "TCP", "name": "t"}]
        ),
        spec(
            ports=[{"port": 53, "protocol": "TCP", "name": "t"}, {"port": 53, "protocol": "UDP", "name": "u"}]
        ),
    ),
    "quantities": (
        pod(resources={"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": 1}}),
        pod(resources={"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1"}}),
    ),
    "a quota": (
        spec(hard={"requests.cpu": "1500m", "pods": 10}),
        spec(hard={"requests.cpu": "1.5", "pods": "10"}),
    ),
    "zero values are dropped": (pod(tty=False, args=[], stdin=None, securityContext={}), pod()),
    "a port as text": (spec(targetPort="80"), spec(targetPort=80)),
    "labels of somebody's": (
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"labels": {"a": "b", "c": "d"}}},
    ),
}

DIFFERENT = {
    "a value": (pod(image="a"), pod(image="b"), "spec.template.spec.containers[c].image"),
    "a missing value": (pod(image="a"), pod(), "spec.template.spec.containers[c].image"),
    "a missing entry": (
        pod(env=[{"name": "A", "value": "1"}]),
        pod(env=[{"name": "B", "value": "1"}]),
        "spec.template.spec.containers[c].env[A]",
    ),
    "an empty list that was filled": (spec(ingress=[]), spec(ingress=[{}]), "spec.ingress"),
    "an empty selector that was filled": (
        spec(podSelector={}),
        spec(podSelector={"matchLabels": {"a": "b"}}),
        "spec.podSelector.matchLabels",
    ),
    "a selector with more": (
        spec(selector={"a": "b"}),
        spec(selector={"a": "b", "c": "d"}),
        "spec.selector.c",
    ),
    "a rule more in a policy": (
        spec(ingress=[{"ports": [{"port": 80}]}]),
        spec(ingress=[{"ports": [{"port": 80}, {"port": 22}]}]),
        "spec.ingress[0].ports",
    ),
    "a role's rule more": (
        {"rules": [{"verbs": ["get"]}]},
        {"rules": [{"verbs": ["get"]}, {"verbs": ["*"]}]},
        "rules",
    ),
    "a verb more": ({"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["get", "*"]}]}, "rules[0].verbs"),
    "a subject more": ({"subjects": [{"name": "a"}]}, {"subjects": [{"name": "a"}, {"name": "b"}]}, "subjects"),
    "false is not true": (pod(tty=False), pod(tty=True), "spec.template.spec.containers[c].tty"),
    "one is not true": (pod(tty=1), pod(tty=True), "spec.template.spec.containers[c].tty"),
    "another quantity": (
        pod(resources={"limits": {"cpu": "0.5"}}),
        pod(resources={"limits": {"cpu": "600m"}}),
        "spec.template.spec.containers[c].resources.limits.cpu",
    ),
    "data are no quantities": ({"data": {"max": "1k"}}, {"data": {"max": "1000"}}, "data.max"),
    "another type": (spec(replicas=1), spec(replicas=[1]), "spec.replicas"),
    "a quota that is gone": (spec(hard={"pods": "1"}), spec(), "spec.hard"),
}


@pytest.mark.parametrize(("wanted", "live"), SAME.values(), ids=SAME.keys())
def test_as_wanted(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert paths(wanted, live) == []


@pytest.mark.parametrize(("wanted", "live", "path"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_not_as_wanted(wanted: dict[str, Any], live: dict[str, Any], path: str) -> None:
    assert paths(wanted, live) == [path]


def test_a_difference_tells_no_value() -> None:
    (difference,) = differences({"data": {"password": "wanted"}}, {"data": {"password": "hunter2"}})
    assert "hunter2" not in repr(difference)
    assert "wanted" not in repr(difference)
    (other,) = differences({"data": {"password": "wanted"}}, {"data": {"password": "hunter3"}})
    assert difference != other


LEAVES = st.one_of(st.text(min_size=1, max_size=5), st.integers(1, 9), st.just(True))
NAMES = st.sampled_from(["a", "b", "spec", "env", "ports", "selector", "limits", "containers", "name"])
OBJECTS = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda inner: (
            st.dictionaries(NAMES, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


@given(OBJECTS)
def test_everything_is_as_itself(obj: dict[str, Any]) -> None:
    assert paths(obj, copy.deepcopy(obj)) == []


@given(OBJECTS, st.data())
def test_a_field_that_went_is_seen(obj: dict[str, Any], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(obj)))
    assert paths(obj, {key: value for key, value in obj.items() if key != gone}) == [gone]


@given(OBJECTS, LEAVES)
def test_a_field_more_at_the_top_is_somebody_elses(obj: dict[str, Any], more: Any) -> None:
    assert paths(obj, {**obj, "theirs": more}) == []
