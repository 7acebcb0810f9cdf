"""From a document to a spec that can be relied on, or to a list of what is wrong with it.

Says offline what the API server says with the CRD: same rules, same paths, same remedies, plus the few things
that CEL does not see. What depends on the former state of an object is the API server's alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vre_operator.api import names
from vre_operator.api.base import Model, without_nulls
from vre_operator.api.crd import structural
from vre_operator.api.rules import BROKEN, Broken
from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import Effective, VREEnvironment, VREEnvironmentSpec
from vre_operator.api.vresite import VRESite, VRESiteSpec

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Problem:
    """path: as Kubernetes writes it, e.g. `spec.notebooks.images[0].name`; "" for the document."""

    path: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}: {self.remedy}".removeprefix(": ")


class SpecError(Exception):
    """The document does not describe what it should. Its text fits a condition's message."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def load(document: Mapping[str, Any], told: Mapping[str, Any] | None = None) -> VREEnvironmentSpec:
    """The spec of a whole VREEnvironment, from a file or from the API, with what its site gives. told: without
    that, as its tenant wrote it. Raises SpecError."""
    # First the wish: what is missing there may be the site's to give, and what is beside it may not.
    problems: tuple[Problem, ...] = ()
    try:
        load_environment(document if told is None else told)
    except SpecError as error:
        problems = error.problems
    try:
        spec = _load(Effective, _typed(document)).spec
    except SpecError as error:
        raise SpecError(list(dict.fromkeys((*problems, *error.problems)))) from None
    if problems:
        raise SpecError(problems)
    return spec


def load_environment(document: Mapping[str, Any]) -> VREEnvironment:
    """As the API server takes it: whatever the site may give can be missing. Raises SpecError."""
    return _load(VREEnvironment, _typed(document))


def _typed(document: Mapping[str, Any]) -> dict[str, Any]:
    # Items of a list from the API carry no type; status is ours and may come from a newer operator.
    typed = {"apiVersion": names.API_VERSION, "kind": names.KIND, **document}
    typed.pop("status", None)
    return typed


def load_site(document: Mapping[str, Any]) -> Site:
    """The site's settings. Raises SpecError."""
    return _load(Site, document)


def load_vresite(document: Mapping[str, Any]) -> VRESiteSpec:
    """The spec of a VRESite. Raises SpecError."""
    typed = {"apiVersion": names.API_VERSION, "kind": names.SITE_KIND, **document}
    return _load(VRESite, typed).spec


def _load(model: type[M], document: Mapping[str, Any]) -> M:
    # By way of JSON: only there does strict mean what it means to the API server ("50" is no number, a list is
    # a list). Nulls go first because the API server drops them before it looks at anything else.
    text = json.dumps(without_nulls(document), default=str)
    try:
        return model.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        schema = _schema(model)
        raise SpecError([item for each in _told(error.errors()) for item in _problems(each, schema)]) from None


@cache
def _schema(model: type[Model]) -> Mapping[str, Any]:
    # It takes a fifth of a second, in which the operator does nothing else.
    return structural(model)


def _told(errors: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without lists that pydantic calls too short because it left out their wrong items."""
    for error in errors:
        at = error["loc"]
        below = any(other["loc"][: len(at)] == at and len(other["loc"]) > len(at) for other in errors)
        if not (error["type"] == "too_short" and below):
            yield error


def _problems(error: ErrorDetails, schema: Mapping[str, Any]) -> Iterator[Problem]:
    path = _path(error["loc"])
    if error["type"] == BROKEN:
        found: tuple[Broken, ...] = error["ctx"]["broken"]
        for broken in found:
            yield Problem((path + broken.path).lstrip("."), broken.problem, broken.remedy)
    else:
        yield Problem(path, *_structural_problem(error, path, schema))


def _path(location: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _structural_problem(error: ErrorDetails, path: str, schema: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with the form of a value, and what to do about it."""
    field = re.sub(r"\[\d+\]", "", path)
    explain = f"`kubectl explain {names.KIND.lower()}.{field}` tells more"
    kind = error["type"]
    if kind == "extra_forbidden":
        parent, name = _node(schema, error["loc"][:-1]), str(error["loc"][-1])
        known = list(parent.get("properties", ()))
        if close := get_close_matches(name, known, n=1, cutoff=0.7):
            return "unknown field", f"did you mean {close[0]}?"
        return "unknown field", f"remove it; the fields here are {', '.join(known)}"
    if kind == "missing":
        return "is required", _GIVEN.get(path, f"add it; {explain}")
    node = _node(schema, error["loc"])
    if kind in {"enum", "literal_error"}:
        return "is not supported", f"choose {error['ctx']['expected']}"
    if kind.endswith("_type"):
        wanted = node.get("type", "object")
        return f"must be of type {wanted}", _quotes(wanted, error["input"]) or explain
    bounds = [f"{bound} {node[bound]}" for bound in _BOUNDS if bound in node]
    return re.sub(r"^\w+ should", "must", error["msg"]), f"keep to {', '.join(bounds)}" if bounds else explain


_GIVEN = {
    "spec.hostname": "add it, or ask the site's admin for a domain for tenants (spec.defaults.domain of the"
    " VRESite)",
    "spec.identity.issuer": "add it, or ask the site's admin for a provider for tenants (spec.defaults.identity"
    " of the VRESite)",
}
_BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def _quotes(wanted: str, value: Any) -> str:
    """YAML's usual trap."""
    if wanted == "string" and not isinstance(value, list | dict):
        return "write it in quotes"
    if wanted in {"boolean", "integer", "number"} and isinstance(value, str):
        return "write it without quotes"
    return ""


def _node(schema: Mapping[str, Any], location: Sequence[str | int]) -> Mapping[str, Any]:
    """The part of the schema that speaks of `location`; empty where there is none."""
    node = schema
    for part in location:
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return node
