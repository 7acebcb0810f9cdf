"""The CRD is what the models say, and nothing that an API server refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from dev.generate import generated
from vre_operator.api import crd
from vre_operator.api.base import Model
from vre_operator.api.v1alpha1 import VREEnvironmentSpec


def _nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")


NODES = dict(_nodes(crd.structural_schema()))
SPEC = {path: node for path, node in NODES.items() if path.startswith(".spec")}


def test_generated_files_are_fresh() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text() != text]
    assert not stale, "run `make crds`"


def test_printed_crd_is_the_generated_one() -> None:
    files = [
        text for path, text in generated().items() if path.parent.name == "crds" and "helm" not in path.parts
    ]
    assert [yaml.safe_load(file) for file in files] == list(yaml.safe_load_all(crd.as_yaml()))


def test_columns() -> None:
    (version,) = crd.custom_resource_definition()["spec"]["versions"]
    usual = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert usual == ["Ready", "Reason", "URL", "Version", "Age"]


@pytest.mark.parametrize("path", SPEC)
def test_every_field_is_documented(path: str) -> None:
    if not path.endswith("[]") or "properties" in SPEC[path]:
        assert len(SPEC[path]["description"]) > 10


@pytest.mark.parametrize("path", SPEC)
def test_strings_and_lists_are_bounded(path: str) -> None:
    # Without bounds the API server reckons with the worst and refuses the CEL rules for their cost.
    node = SPEC[path]
    assert "maxItems" in node or node["type"] != "array"
    assert "maxLength" in node or "enum" in node or node["type"] != "string"


@pytest.mark.parametrize("path", NODES)
def test_structural(path: str) -> None:
    node = NODES[path]
    assert isinstance(node["type"], str)
    assert not node.keys() & {"$ref", "anyOf", "allOf", "oneOf", "additionalProperties", "pattern", "title"}
    assert node.get("default", 0) is not None


@pytest.mark.parametrize("path", [path for path in NODES if "x-kubernetes-validations" in NODES[path]])
def test_rules_name_a_field_that_exists(path: str) -> None:
    for rule in NODES[path]["x-kubernetes-validations"]:
        assert path + rule.get("fieldPath", "") in NODES
        assert ": " in rule["message"]
        assert "\n" not in rule["message"]


def test_server_side_defaults_are_the_models_own() -> None:
    """An object written by the server and one loaded from the short manifest are the same wish."""
    spec = {"hostname": "vre.example.org", "identity": {"issuer": "https://a.example", "allowAll": True}}
    spec["identity"] |= {"provider": "generic-dcr"}  # type: ignore[operator]
    defaulted = _defaulted(NODES[".spec"], spec)
    assert defaulted["database"]["embedded"]["size"] == "8Gi"
    assert VREEnvironmentSpec.model_validate(defaulted) == VREEnvironmentSpec.model_validate(spec)


def _defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """What the API server does to a new object."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, child in schema.get("properties", {}).items():
        if name not in filled and "default" in child:
            filled[name] = child["default"]
        if name in filled:
            filled[name] = _defaulted(child, filled[name])
    return filled


def test_nothing_is_empty_that_an_api_server_would_drop() -> None:
    assert [path for path, node in NODES.items() if node.get("properties") == {}] == []


def test_what_cannot_be_said_is_a_bug_of_ours() -> None:
    class Union(Model):
        either: int | str

    class Pattern(Model):
        text: Annotated[str, Field(pattern="^a$")]

    for model in (Union, Pattern):
        with pytest.raises(ValueError, match="not expressible"):
            crd.structural(model)
