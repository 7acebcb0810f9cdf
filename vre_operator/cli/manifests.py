"""Reading manifests as kubectl would: several documents in a file, Lists, and no key twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vre_operator.api import names


class ManifestError(Exception):
    """A file that cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document. place: the file, with the number of the document where there are several."""

    place: str
    document: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        """Either word is enough: a slip in the other one must not make it somebody else's."""
        group = str(self.document.get("apiVersion")).split("/")[0]
        return self.document.get("kind") == names.KIND or group == names.GROUP

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        metadata = self.document.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        return f"{self.document.get('kind') or 'something without a kind'} {name}".strip()

    def in_namespace(self, namespace: str) -> dict[str, Any]:
        """The document, with this namespace where it names none."""
        metadata = self.document.get("metadata")
        if not namespace or not isinstance(metadata, dict) or metadata.get("namespace"):
            return self.document
        return self.document | {"metadata": metadata | {"namespace": namespace}}


def read(path: str) -> Iterator[Manifest]:
    """The documents of one file; `-` is standard input. Raises ManifestError."""
    documents = [item for document in _parse(path) for item in _flatten(document)]
    for number, document in enumerate(documents, start=1):
        place = f"{path}#{number}" if len(documents) > 1 else path
        if not isinstance(document, dict):
            raise ManifestError(f"{place}: must be an object with apiVersion, kind, metadata and spec")
        yield Manifest(place, document)


def read_one(path: str) -> Any:
    """The only document of a file. Raises ManifestError."""
    documents = _parse(path)
    if len(documents) > 1:
        raise ManifestError(f"{path}: must hold one document, not {len(documents)}")
    return documents[0] if documents else {}


def _parse(path: str) -> list[Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except (OSError, UnicodeError) as error:
        raise ManifestError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error


def _flatten(document: Any) -> Iterator[Any]:
    """The items of a List, as `kubectl get -o yaml` writes one."""
    if isinstance(document, dict) and document.get("kind") == "List":
        yield from document.get("items") or ()
    else:
        yield document


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, as kubectl does: PyYAML takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f'"{key.value}" is given twice', problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
