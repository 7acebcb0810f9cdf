"""Whether its Gateway serves a route."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.api.conditions import Reason
from vre_operator.engine.readiness import readiness
from vre_operator.engine.target import Readiness, State

Json = dict[str, Any]

PARENT = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"}


def condition(kind: str, status: str = "True", generation: int | None = 2, **more: str) -> Json:
    seen = {} if generation is None else {"observedGeneration": generation}
    return {"type": kind, "status": status, **seen, **more}


GOOD = (condition("Accepted"), condition("ResolvedRefs"))
STALE = tuple(condition(one["type"], generation=1) for one in GOOD)
REFUSED = (condition("Accepted", "False", reason="NotAllowedByListeners", message="no."), GOOD[1])


def told(*conditions: Json, **parent: str) -> Json:
    return {"parentRef": PARENT | parent, "controllerName": "a.b/c", "conditions": list(conditions)}


def judged(*parents: Json, wanted: tuple[Json, ...] = (PARENT,)) -> Readiness:
    metadata = {"name": "vre", "namespace": "atlas", "generation": 2}
    spec = {"parentRefs": list(wanted), "hostnames": ["atlas.example.org"]}
    obj = {"metadata": metadata, "spec": spec, "status": {"parents": list(parents)}}
    return readiness("gateway.networking.k8s.io/v1/HTTPRoute", obj)


@pytest.mark.parametrize(
    ("parents", "state"),
    [
        ([], State.PROGRESSING),
        ([told(*GOOD)], State.READY),
        ([told(GOOD[0])], State.PROGRESSING),
        ([told(GOOD[1])], State.PROGRESSING),
        ([told(*STALE)], State.PROGRESSING),
        ([told(STALE[0], GOOD[1])], State.PROGRESSING),
        ([told(condition("Accepted", "Unknown"), GOOD[1])], State.PROGRESSING),
        ([told(*(condition(one["type"], generation=None) for one in GOOD))], State.READY),
        ([told(*GOOD, condition("PartiallyInvalid", "False"))], State.READY),
        ([told(*GOOD, condition("PartiallyInvalid"))], State.FAILED),
        ([told(*GOOD, condition("PartiallyInvalid", generation=1))], State.READY),
        ([told(*REFUSED)], State.FAILED),
        ([told(condition("Accepted", "False", generation=1), GOOD[1])], State.PROGRESSING),
        ([told(GOOD[0], condition("ResolvedRefs", "False"))], State.FAILED),
        # of others
        ([told(*GOOD, name="inner")], State.PROGRESSING),
        ([told(*GOOD, namespace="edge")], State.PROGRESSING),
        ([told(*GOOD, sectionName="https")], State.PROGRESSING),
        # a former controller's, which nobody took away
        ([told(*STALE), told(*GOOD)], State.READY),
        ([told(*REFUSED), told(*GOOD)], State.READY),
    ],
)
def test_what_is_said_by_our_gateway_of_the_route_as_it_is_counts(parents: list[Json], state: State) -> None:
    assert judged(*parents).state is state


def test_every_gateway_that_is_named_has_to_serve_it() -> None:
    other = PARENT | {"name": "inner", "sectionName": "https"}
    assert judged(told(*GOOD), wanted=(PARENT, other)).state is State.PROGRESSING
    both = (told(*GOOD), told(*GOOD, name="inner", sectionName="https"))
    assert judged(*both, wanted=(PARENT, other)).ready


def test_a_parent_without_a_namespace_is_in_the_routes_own() -> None:
    near = {key: value for key, value in PARENT.items() if key != "namespace"}
    assert judged(told(*GOOD, namespace="atlas"), wanted=(near,)).ready


def test_a_refusal_has_the_gateways_words_and_the_next_step() -> None:
    found = judged(told(*REFUSED))
    assert found.reason == Reason.ROUTE_NOT_ACCEPTED
    assert found.message == (
        "HTTPRoute vre: Gateway infra/public does not accept it: NotAllowedByListeners: no. Its admin has to"
        " admit namespace atlas there: spec.listeners[].allowedRoutes.namespaces"
    )
    silent = judged(told(GOOD[0], condition("ResolvedRefs", "False")))
    assert silent.message.endswith("it refers to. kubectl -n atlas describe httproute vre")
    long = judged(told(condition("Accepted", "False", reason="Else", message="x" * 5000)))
    assert len(long.message) < 500


def test_silence_has_a_next_step() -> None:
    assert "kubectl -n infra describe gateway public" in judged().message
