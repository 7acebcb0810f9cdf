"""What is wrong with a manifest is found offline, at its path, with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.manifests import BAD, BAD_OFFLINE, FINE, GOOD, SHORT, Bad, merge
from vre_operator.api import validate
from vre_operator.api.crd import structural_schema
from vre_operator.api.validate import SpecError, load, load_environment, load_site


@pytest.mark.parametrize("case", [*BAD, *BAD_OFFLINE, *SHORT], ids=lambda case: case.name)
def test_refused_with_path_and_remedy(case: Bad) -> None:
    with pytest.raises(SpecError) as caught:
        load(case.document)
    problem, *more = caught.value.problems
    assert {one.path for one in more} <= ({"spec.identity.issuer"} if "without issuer" in case.name else set())
    assert problem.path == case.path
    assert case.says in f"{problem.problem}: {problem.remedy}"
    assert str(caught.value).startswith(f"{case.path}: ")


@pytest.mark.parametrize(("name", "patch"), FINE)
def test_what_is_right_passes(name: str, patch: Mapping[str, Any]) -> None:
    load(merge(GOOD, patch))


def test_a_second_refusal_makes_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a fifth of a second, in which the operator of a thousand tenants would do nothing else."""
    said = []
    for _ in range(2):
        with pytest.raises(SpecError) as caught:
            load(merge(GOOD, {"spec": {"hostname": "X"}}))
        said.append(str(caught.value))
        monkeypatch.setattr(validate, "structural", None)
    assert said[0] == said[1]


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        load(merge(GOOD, {"spec": {"hostname": "X", "colour": 1, "exposure": {"tls": {"certManager": {}}}}}))
    assert {problem.path for problem in caught.value.problems} == {
        "spec.hostname",
        "spec.colour",
        "spec.exposure.tls.certManager.issuer",
    }


def test_an_object_from_the_api_loads_whatever_its_status_and_metadata_hold() -> None:
    live = merge(
        GOOD,
        {
            "apiVersion": ...,  # items of a list carry neither
            "kind": ...,
            "metadata": {"uid": "1", "generation": 3, "managedFields": [{}]},
            "status": {"from": "a newer operator"},
        },
    )
    assert load_environment(live).metadata.name == "good"


def test_null_is_absent() -> None:
    assert load(merge(GOOD, {"spec": {"notebooks": {"maxSessions": None}}})).notebooks.max_sessions == 50


def test_a_site_is_checked_the_same_way() -> None:
    with pytest.raises(SpecError, match="did you mean ingressClass"):
        load_site({"ingressClas": "nginx"})


def test_every_rule_is_broken_by_a_case() -> None:
    told = set()
    for case in BAD:
        with pytest.raises(SpecError) as caught:
            load(case.document)
        told |= {f"{problem.problem}: {problem.remedy}" for problem in caught.value.problems}
    rules = [
        rule
        for node in _nodes(structural_schema())
        for rule in node.get("x-kubernetes-validations", ())
        if "oldSelf" not in rule["rule"]  # BAD_CHANGES
    ]
    assert len(rules) > 20
    assert [rule["message"] for rule in rules if rule["message"] not in told] == []


def _nodes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for child in (*schema.get("properties", {}).values(), schema.get("items")):
        if child:
            yield from _nodes(child)
