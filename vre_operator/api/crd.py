"""The CustomResourceDefinitions, made from the models.

Pydantic speaks JSON Schema; the API server wants a structural schema: everything inline, one type each, absent
instead of null. What cannot be said that way raises here, not at a user's `helm install`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from vre_operator.api import names
from vre_operator.api.base import UNWRITTEN, Model, without_nulls
from vre_operator.api.v1alpha1 import VREEnvironment
from vre_operator.api.vresite import VRESite

_COLUMNS: tuple[Mapping[str, Any], ...] = (
    {
        "name": "Ready",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
        "description": "True when everything asked for works.",
    },
    {
        "name": "Reason",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].reason',
        "description": "Why, in one word.",
    },
    {
        "name": "URL",
        "type": "string",
        "jsonPath": ".status.endpoints.url",
        "description": "The VRE's front page.",
    },
    {
        "name": "Version",
        "type": "string",
        "jsonPath": ".status.version",
        "description": "The version of the operator that last worked on this object.",
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {
        "name": "Message",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
        "priority": 1,
        "description": "The object concerned, the cause and the next step.",
    },
)

_KEPT = frozenset(
    {
        *("default", "description", "enum", "format", "maxItems", "maxLength", "maximum", "minItems"),
        *("minLength", "minimum", "required", "type"),
        *("x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-validations"),
    }
)
_DROPPED = frozenset({"$defs", "additionalProperties", "title", UNWRITTEN})
_FORMATS = {"integer": "int64", "number": "double"}


@dataclass(frozen=True, slots=True)
class Definition:
    """What is told of a kind beside its model. cluster: it has no namespace."""

    model: type[Model]
    kind: str
    plural: str
    short: str
    columns: tuple[Mapping[str, Any], ...]
    required: tuple[str, ...] = ()
    cluster: bool = False

    @property
    def name(self) -> str:
        return f"{self.plural}.{names.GROUP}"


ENVIRONMENT = Definition(VREEnvironment, names.KIND, names.PLURAL, "vre", _COLUMNS, ("spec",))
SITE = Definition(
    VRESite,
    names.SITE_KIND,
    names.SITE_PLURAL,
    "",
    ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},),
    cluster=True,
)
DEFINITIONS = (ENVIRONMENT, SITE)
CRD_NAME = ENVIRONMENT.name


def custom_resource_definition(of: Definition = ENVIRONMENT) -> dict[str, Any]:
    """The whole object, ready to be applied."""
    schema = structural_schema(of)
    version: dict[str, Any] = {"name": names.VERSION, "served": True, "storage": True}
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": of.name},
        "spec": {
            "group": names.GROUP,
            "scope": "Cluster" if of.cluster else "Namespaced",
            "names": {
                "kind": of.kind,
                "listKind": f"{of.kind}List",
                "plural": of.plural,
                "singular": of.kind.lower(),
                # A category of two kinds by a short name's word, and kubectl knows neither any more.
                **({"shortNames": [of.short], "categories": [of.short]} if of.short else {}),
            },
            "versions": [
                version
                | {
                    "additionalPrinterColumns": [dict(column) for column in of.columns],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def as_yaml() -> str:
    """All of them as text."""
    found = [custom_resource_definition(one) for one in DEFINITIONS]
    return yaml.safe_dump_all(found, sort_keys=False, width=110)


def structural_schema(of: Definition = ENVIRONMENT) -> dict[str, Any]:
    """The schema of a kind as the API server takes it."""
    schema = structural(of.model)
    # The API server knows these better, and lets nothing about metadata be said but its name.
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    if of.required:
        schema["required"] = list(of.required)
    else:
        schema.pop("required", None)
    return schema


def structural(model: type[Model]) -> dict[str, Any]:
    """The structural schema of any of our models. Raises ValueError for what cannot be said in one."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    return _structural(schema, schema.get("$defs", {}))


class _Generator(GenerateJsonSchema):
    """Keeps the fields in the order of the models, which is the order for reading."""

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        return value


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """One node and everything below it."""
    node = _inline(node, definitions)
    if unknown := node.keys() - _KEPT - _DROPPED - {"items", "properties"}:
        raise ValueError(f"not expressible in a structural schema: {', '.join(sorted(unknown))} in {node}")
    schema: dict[str, Any] = {"type": node["type"]}
    if schema["type"] in _FORMATS:
        schema["format"] = _FORMATS[schema["type"]]
    schema |= copy.deepcopy({key: node[key] for key in node if key in _KEPT})
    if "description" in schema:
        schema["description"] = _reflow(schema["description"])
    if "default" in schema:
        schema["default"] = without_nulls(schema["default"])
        schema["description"] += _spoken_default(schema["default"], written=not node.get(UNWRITTEN))
    if "items" in node:
        schema["items"] = _structural(node["items"], definitions)
    # Of an empty one the API server keeps nothing, and a second applier would be in conflict with the first.
    if node.get("properties"):
        schema["properties"] = {
            name: _structural(child, definitions) for name, child in node["properties"].items()
        }
    if node.get(UNWRITTEN):
        schema.pop("default", None)
    elif "default" in schema:
        schema["default"] = _written(schema["default"], node, definitions)
    return schema


def _written(default: Any, node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """Without what the API server must not write further down."""
    if not isinstance(default, Mapping):
        return default
    below = {name: _inline(child, definitions) for name, child in node.get("properties", {}).items()}
    return {
        name: _written(value, below[name], definitions)
        for name, value in default.items()
        if not below[name].get(UNWRITTEN)
    }


def _inline(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """`node` without $ref and without null; what stands beside a reference wins over what it leads to."""
    merged = dict(node)
    if "const" in merged:
        merged["enum"] = [merged.pop("const")]
    if options := merged.pop("anyOf", None):
        kinds = [option for option in options if option.get("type") != "null"]
        if len(kinds) != 1:
            raise ValueError(f"not expressible in a structural schema: a union of {kinds}")
        merged = kinds[0] | merged
        if merged.get("default", ...) is None:
            del merged["default"]
    if reference := merged.pop("$ref", None):
        return _inline(definitions[reference.rsplit("/", 1)[-1]], definitions) | merged
    return merged


def _spoken_default(default: Any, *, written: bool) -> str:
    """Told in the text as well: `kubectl explain` shows no defaults. An object's is told by its fields."""
    end = "." if written else ", where no preset of the site says otherwise."
    match default:
        case bool():
            return f" Default: {str(default).lower()}."
        case str() | int() | float() if default != "":
            return f" Default: {default:g}{end}" if isinstance(default, float) else f" Default: {default}{end}"
        case [str(), *_]:
            return f" Default: {', '.join(default)}."
        case _:
            return ""


def _reflow(text: str) -> str:
    """Paragraphs on one line each: the reader's screen decides where lines break."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
