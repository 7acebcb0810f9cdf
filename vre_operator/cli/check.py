"""Manifests read, sorted and loaded, with what is wrong with them in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironment
from vre_operator.api.validate import SpecError, load_environment, load_site
from vre_operator.cli.manifests import ManifestError, read, read_one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One document: an environment, or what is wrong with it, or a note why it was skipped."""

    place: str
    environment: VREEnvironment | None = None
    problems: tuple[str, ...] = ()
    note: str = ""


def check(path: str, namespace: str = "") -> Iterator[Finding]:
    """Every document of a file; `-` is standard input. namespace: where a document names none."""
    try:
        for manifest in read(path):
            if manifest.is_ours:
                environment, problems = _attempt(
                    manifest.place, load_environment, manifest.in_namespace(namespace)
                )
                yield Finding(manifest.place, environment, problems)
            else:
                yield Finding(manifest.place, note=f"{manifest.place}: skipped {manifest.title}")
    except ManifestError as error:
        yield Finding(path, problems=(str(error),))


def check_site(path: str) -> tuple[Site | None, tuple[str, ...]]:
    """The site's settings, or what is wrong with them."""
    try:
        document = read_one(path)
    except ManifestError as error:
        return None, (str(error),)
    return _attempt(path, load_site, document)


def _attempt(place: str, load: Callable[[Any], T], document: Any) -> tuple[T | None, tuple[str, ...]]:
    try:
        return load(document), ()
    except SpecError as error:
        lines = (f"{place}: {item.path}: {item.problem} -> {item.remedy}" for item in error.problems)
        return None, tuple(lines)
