"""Resources as YAML for snapshots: what a reviewer reads, refs as placeholders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from vre_operator.engine.refs import printable
from vre_operator.engine.resources import Policy, Resource


class YamlSnapshots(SingleFileSnapshotExtension):
    """One readable file for each snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "yaml"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_yaml(resources: Iterable[Resource]) -> str:
    documents = [_document(resource) for resource in sorted(resources, key=lambda each: each.id)]
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=100)


def _document(resource: Resource) -> dict[str, Any]:
    document: dict[str, Any] = {"resource": str(resource.id)}
    if resource.origin:
        document["origin"] = resource.origin
    if resource.policy is not Policy.DELETE:
        document["policy"] = resource.policy.value
    if resource.needs:
        document["needs"] = [str(need) for need in sorted(resource.needs)]
    if resource.generate:
        document["generate"] = {key: how.value for key, how in resource.generate.items()}
    if resource.required_keys:
        document["requiredKeys"] = list(resource.required_keys)
    if resource.recreate:
        document["recreate"] = True
    if resource.body:
        document["body"] = printable(resource.body)
    return document
