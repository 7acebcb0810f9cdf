"""Does its Gateway serve a route? What the Gateway's controller says, in the route's own status.

A failure names the route, the Gateway's own reason, and the next step, which is mostly its admin's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import READY, Readiness, State

Object = Mapping[str, Any]

# What a condition must not say, and how to read it when it does.
_BAD = {
    "Accepted": ("False", "does not accept it"),
    "ResolvedRefs": ("False", "cannot resolve what it refers to"),
    "PartiallyInvalid": ("True", "serves only a part of it"),
}
_SAID = ("Accepted", "ResolvedRefs")
# By the Gateway's reason.
_NEXT = {
    "NotAllowedByListeners": "Its admin has to admit namespace {namespace} there:"
    " spec.listeners[].allowedRoutes.namespaces",
    "NoMatchingListenerHostname": "None of its listeners is for {hosts}: choose a name that one is for, or ask"
    " its admin",
    "NoMatchingParent": "It has no such listener: see spec.exposure.gateway.sectionName",
}
_OTHERWISE = "kubectl -n {namespace} describe httproute {name}"


def served(kind: str, obj: Object) -> Readiness:
    """Of an HTTPRoute, with each of the Gateways that its spec names."""
    del kind
    judged = (_by(parent, obj) for parent in obj["spec"].get("parentRefs") or ())
    return next((one for one in judged if not one.ready), READY)


def _by(parent: Object, obj: Object) -> Readiness:
    """Of one Gateway. There may be what a former controller of it has left: one that is content is enough."""
    found = [_verdict(parent, one, obj) for one in _told(parent, obj)]
    if not found:
        name, namespace = parent["name"], _namespace(parent, obj)
        return _waits(
            f"{_who(parent, obj)} says nothing of it yet. If that stays, nobody serves that Gateway:"
            f" kubectl -n {namespace} describe gateway {name}"
        )
    return next((one for one in found if one.ready), found[0])


def _told(parent: Object, obj: Object) -> Iterator[Object]:
    wanted = (_namespace(parent, obj), parent["name"], parent.get("sectionName"))
    for told in (obj.get("status") or {}).get("parents") or ():
        ref = told["parentRef"]
        if (_namespace(ref, obj), ref["name"], ref.get("sectionName")) == wanted:
            yield told


def _verdict(parent: Object, told: Object, obj: Object) -> Readiness:
    generation = obj["metadata"].get("generation", 0)
    # Who leaves the generation out, which the specification does not want, is believed.
    conditions = {
        one["type"]: one
        for one in told.get("conditions") or ()
        if one.get("observedGeneration", generation) >= generation
    }
    for name, (bad, words) in _BAD.items():
        said = conditions.get(name, {})
        if said.get("status") == bad:
            return _refused(f"{_who(parent, obj)} {words}", said, obj)
    if any(conditions.get(name, {}).get("status") != "True" for name in _SAID):
        return _waits(f"{_who(parent, obj)} has not taken up the change yet")
    return READY


def _refused(what: str, said: Object, obj: Object) -> Readiness:
    metadata = obj["metadata"]
    reason = said.get("reason", "")
    words = str(said.get("message", ""))[:300].strip().rstrip(".")
    cause = "".join(f": {one}" for one in (reason, words) if one)
    step = _NEXT.get(reason, _OTHERWISE).format(
        namespace=metadata["namespace"],
        name=metadata["name"],
        hosts=", ".join(obj["spec"].get("hostnames") or ()),
    )
    return Readiness(State.FAILED, Reason.ROUTE_NOT_ACCEPTED, f"{what}{cause}. {step}")


def _who(parent: Object, obj: Object) -> str:
    listener = f", listener {parent['sectionName']}," if "sectionName" in parent else ""
    return f"HTTPRoute {obj['metadata']['name']}: Gateway {_namespace(parent, obj)}/{parent['name']}{listener}"


def _namespace(parent: Object, obj: Object) -> str:
    """Of a parent: the route's own where none is said."""
    return str(parent.get("namespace") or obj["metadata"]["namespace"])


def _waits(message: str) -> Readiness:
    return Readiness(State.PROGRESSING, Reason.PROGRESSING, message)
