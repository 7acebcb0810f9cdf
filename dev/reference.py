"""The reference pages of the custom resources, written from the schemas of the CRDs."""

from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.api.crd import Definition, structural_schema

Schema = Mapping[str, Any]

_HEADS = {
    "VREEnvironment": """\
<!-- Generated from vre_operator/api by `make crds`; do not edit. -->
# VREEnvironment

`vre.science/v1alpha1`, short name `vre`, namespaced. {description}

`kubectl explain vreenvironment.spec` says the same on a cluster, [examples/full.yaml](../../examples/full.yaml)
shows every field in use, and `vre validate FILE` tells without a cluster what the cluster would refuse.

- **Unknown fields are refused** where the client asks for strict validation, as `kubectl` does by default. For
  a client that does not ask, Kubernetes drops them without a word, as in every custom resource.
- **Secrets are named, never a namespace**: they are in the namespace of the VREEnvironment.
- The name has at most 40 characters, its namespace at most 50: two namespaces are derived from it.
- A field that is `null` is a field that is absent.
""",
    "VRESite": """\
<!-- Generated from vre_operator/api by `make crds`; do not edit. -->
# VRESite

`vre.science/v1alpha1`, for the whole cluster, named `site`. {description}

[Bounds and defaults of a site](../site.md) shows it in use; without one nothing is bounded, and nothing given.
""",
}


def reference(of: Definition) -> str:
    """Give the page of a kind."""
    schema = structural_schema(of)
    page = [_HEADS[of.kind].format(description=schema["description"])]
    page += _section("spec", schema["properties"]["spec"])
    if status := schema["properties"].get("status"):
        page += ["## status\n", f"{status['description']}\n", *_table(status, deep=True)]
    return "\n".join(page)


def _section(path: str, schema: Schema) -> Iterator[str]:
    """An object's own fields and rules, then a section for each object in it."""
    yield f"{'#' * min(4, 2 + path.count('.'))} {path}\n"
    yield f"{schema['description']}\n"
    yield from _table(schema)
    if rules := list(_rules(schema)):
        yield "Rules:\n"
        yield from (f"- {rule}" for rule in rules)
        yield ""
    for name, child in schema["properties"].items():
        inner, suffix = _object(child)
        if inner and inner["properties"].keys() != {"name"}:
            yield from _section(f"{path}.{name}{suffix}", inner)


def _object(schema: Schema) -> tuple[Schema | None, str]:
    """The object that a field holds, itself or as the items of a list."""
    if "properties" in schema:
        return schema, ""
    items = schema.get("items", {})
    return (items, "[]") if "properties" in items else (None, "")


def _table(schema: Schema, *, deep: bool = False) -> Iterator[str]:
    yield "| Field | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    yield from _rows("", schema, deep=deep)
    yield ""


def _rows(prefix: str, schema: Schema, *, deep: bool) -> Iterator[str]:
    for name, child in schema["properties"].items():
        required = " (required)" if name in schema.get("required", ()) and not deep else ""
        text, _, spoken = child["description"].partition(" Default: ")
        # One that the API server leaves to a preset of the site is in the text alone.
        default = _default(child) or (f"`{spoken.partition(',')[0]}`, or the preset's" if spoken else "")
        meaning = text.replace("|", "\\|").replace("\n\n", "<br>")
        cells = (f"`{prefix}{name}`{required}", _type(child), default, meaning)
        yield f"| {' | '.join(cells)} |"
        inner, suffix = _object(child)
        if deep and inner:
            yield from _rows(f"{prefix}{name}{suffix}.", inner, deep=True)


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "properties" in schema:
        return "`{name}`" if schema["properties"].keys() == {"name"} else "object"
    if schema["type"] == "array":
        limit = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_type(schema['items'])}{limit}"
    if "minimum" in schema:
        return f"{schema['type']}, {schema['minimum']:g} to {schema['maximum']:.10g}"
    return str(schema["type"])


def _default(schema: Schema) -> str:
    default = schema.get("default")
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case [_, *_]:
            return f"`[{', '.join(default)}]`"
        case str() | int() | float() if default != "":
            return f"`{default}`"
        case _:
            return ""


def _rules(schema: Schema) -> Iterator[str]:
    """The messages of the rules of an object and of its plain fields, each with the field to blame."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield _rule(rule["fieldPath"].removeprefix("."), rule)
    for name, child in schema["properties"].items():
        if "properties" not in child:
            yield from (_rule(name, rule) for rule in child.get("x-kubernetes-validations", ()))


def _rule(field: str, rule: Mapping[str, str]) -> str:
    problem, remedy = rule["message"].split(": ", 1)
    return f"`{field}` *{problem}*: {remedy}."
