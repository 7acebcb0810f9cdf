"""The images of a site that names none: versions.yaml beside this package names them alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Versions:
    """images: as site.images has them, each by its tag. digests: by such a name, so that one cannot be left
    behind when a tag is changed."""

    images: Mapping[str, Any]
    digests: dict[str, str]

    @classmethod
    def read(cls, text: str = "") -> Versions:
        """text: of the file; the one that is installed when empty."""
        source = text or files("vre_operator").joinpath("versions.yaml").read_text(encoding="utf-8")
        return cls(**yaml.safe_load(source))

    def names(self) -> list[str]:
        """Every image by its tag, once."""
        return sorted(set(_leaves(self.images)))

    def defaults(self) -> dict[str, Any]:
        """What the models have: by tag and digest where the digest is known. Nodes go by the digest, and
        people read the tag."""
        return {name: self._pinned(node) for name, node in self.images.items()}

    def _pinned(self, node: Any) -> Any:
        if isinstance(node, str):
            return f"{node}@{self.digests[node]}" if node in self.digests else node
        return {name: self._pinned(child) for name, child in node.items()}


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    else:
        for child in node.values():
            yield from _leaves(child)
