"""The CustomResourceDefinition, made from the models.

Pydantic speaks JSON Schema; the API server wants a structural schema: everything inline, one type each, absent
instead of null. What cannot be said that way raises here, not at a user's `helm install`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from vre_operator.api import names
from vre_operator.api.base import Model, without_nulls
from vre_operator.api.v1alpha1 import VREEnvironment

CRD_NAME = f"{names.PLURAL}.{names.GROUP}"

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
_DROPPED = frozenset({"$defs", "additionalProperties", "title"})
_FORMATS = {"integer": "int64", "number": "double"}


def custom_resource_definition() -> dict[str, Any]:
    """The whole object, ready to be applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": ["vre"],
                "categories": ["vre"],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": structural_schema()},
                }
            ],
        },
    }


def as_yaml() -> str:
    """The same as text."""
    return yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=110)


def structural_schema() -> dict[str, Any]:
    """The schema of a VREEnvironment as the API server takes it."""
    schema = structural(VREEnvironment)
    # The API server knows these better, and lets nothing about metadata be said but its name.
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    schema["required"] = ["spec"]
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
        schema["description"] += _spoken_default(schema["default"])
    if "items" in node:
        schema["items"] = _structural(node["items"], definitions)
    # Of an empty one the API server keeps nothing, and a second applier would be in conflict with the first.
    if node.get("properties"):
        schema["properties"] = {
            name: _structural(child, definitions) for name, child in node["properties"].items()
        }
    return schema


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


def _spoken_default(default: Any) -> str:
    """Told in the text as well: `kubectl explain` shows no defaults. An object's is told by its fields."""
    match default:
        case bool():
            return f" Default: {str(default).lower()}."
        case str() | int() | float() if default != "":
            return f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}."
        case [str(), *_]:
            return f" Default: {', '.join(default)}."
        case _:
            return ""


def _reflow(text: str) -> str:
    """Paragraphs on one line each: the reader's screen decides where lines break."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
