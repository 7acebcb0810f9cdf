"""What `vre render` prints: everything that a manifest leads to, in the order in which it can be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from vre_operator.api.site import Site
from vre_operator.cli.check import Environment
from vre_operator.cli.table import table
from vre_operator.components import context
from vre_operator.components.registry import render
from vre_operator.engine.plan import Plan
from vre_operator.engine.refs import printable
from vre_operator.engine.resources import KUBERNETES, Policy, Resource
from vre_operator.runtime.plans import planned


def plan(environment: Environment, site: Site) -> Plan:
    """What the operator would plan for it."""
    return planned(render, context.Environment(environment.tenant, environment.spec, site))


def as_yaml(plan: Plan, kind: str = "") -> Iterator[str]:
    """One YAML document for each resource (of that kind), below a comment that says why it is there."""
    for number, resource in enumerate(plan.resources, start=1):
        if not _wanted(resource, kind):
            continue
        comment = [
            f"# {number} of {len(plan.resources)}: {resource.id.short}, of component {resource.component}"
        ]
        comment.append(f"# {_POLICY[resource.policy]}")
        if needs := sorted(need.short for need in plan.needs[resource.id]):
            comment.append(f"# needs {', '.join(needs)}")
        if resource.origin:
            comment.append(f"# because of {resource.origin}")
        yield "\n".join(["---", *comment, _dump(_document(resource))])


def as_summary(plan: Plan, kind: str = "") -> Iterator[str]:
    """One line for each resource (of that kind). What has the same step is made at the same time."""
    rows = [("STEP", "COMPONENT", "KIND", "NAMESPACE", "NAME", "POLICY")]
    rows += [
        (
            str(plan.levels[resource.id] + 1),
            resource.component,
            _kind(resource),
            resource.id.namespace or "-",
            resource.id.name,
            resource.policy,
        )
        for resource in sorted(plan.resources, key=lambda resource: plan.levels[resource.id])
        if _wanted(resource, kind)
    ]
    yield from table(rows)


_POLICY: Mapping[Policy, str] = {
    Policy.DELETE: "removed when no longer wanted",
    Policy.RETAIN: "holds data: kept, unless this tenant is deleted with deletionPolicy Delete",
    Policy.RELEASE: "not the operator's: it adds these fields and takes them back in the end",
    Policy.EXTERNAL: "not the operator's: it is only read",
}


def _wanted(resource: Resource, kind: str) -> bool:
    return not kind or kind.lower() == resource.id.kind.rsplit("/", 1)[-1].lower()


def _kind(resource: Resource) -> str:
    kind = resource.id.kind.rsplit("/", 1)[-1]
    return kind if resource.id.target == KUBERNETES else f"{resource.id.target} {kind}"


def _document(resource: Resource) -> dict[str, Any]:
    body = dict(printable(resource.body))
    metadata = {"name": resource.id.name} | (
        {"namespace": resource.id.namespace} if resource.id.namespace else {}
    )
    if resource.id.target != KUBERNETES:
        return {"target": resource.id.target, "kind": resource.id.kind, "metadata": metadata, "body": body}
    api_version, kind = resource.id.kind.rsplit("/", 1)
    document = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata | body.pop("metadata", {}),
        **body,
    }
    values = {key: f"<generated once: {generator}>" for key, generator in resource.generate.items()}
    values |= dict.fromkeys(resource.required_keys, "<must be there>")
    if values:
        field = "stringData" if kind == "Secret" else "data"
        document[field] = {**document.get(field, {}), **values}
    return document


class _Dumper(yaml.SafeDumper):
    """Long texts as they are, not folded into one quoted line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|" if "\n" in text else None)


_Dumper.add_multi_representer(str, _text)


def _dump(document: Any) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True).rstrip()
