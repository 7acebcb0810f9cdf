"""Manifests read, sorted and loaded, with what is wrong with them in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from vre_operator.api import names
from vre_operator.api.bounds import broken
from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.api.validate import SpecError, load_site, load_vresite
from vre_operator.cli.manifests import ManifestError, read
from vre_operator.engine.resources import Tenant
from vre_operator.runtime.defaults import effective
from vre_operator.runtime.plans import wanted
from vre_operator.runtime.sites import SiteRules

T = TypeVar("T")

NOWHERE = "00000000-0000-0000-0000-000000000000"
"""Stands for the uids that only a cluster gives."""


@dataclass(frozen=True, slots=True)
class Given:
    """The site's settings, and what its VRESite says."""

    settings: Site = field(default_factory=Site)
    rules: SiteRules = field(default_factory=SiteRules)


@dataclass(frozen=True, slots=True)
class Environment:
    """A VREEnvironment as the operator would take it."""

    tenant: Tenant
    spec: VREEnvironmentSpec


@dataclass(frozen=True, slots=True)
class Finding:
    """One document: an environment, or what is wrong with it, or a note why it was skipped. beyond: the site's
    bounds that it does not keep."""

    place: str
    environment: Environment | None = None
    problems: tuple[str, ...] = ()
    note: str = ""
    beyond: tuple[str, ...] = ()


def check(path: str, namespace: str = "", given: Given | None = None) -> Iterator[Finding]:
    """Every document of a file; `-` is standard input. namespace: where a document names none."""
    given = given or Given()
    try:
        for manifest in read(path):
            if manifest.is_ours:
                load = partial(_environment, given)
                found, problems = _attempt(manifest.place, load, manifest.in_namespace(namespace))
                beyond = tuple(f"{manifest.place}: {text}" for text in _beyond(given, found))
                yield Finding(manifest.place, found, problems, beyond=beyond)
            else:
                yield Finding(manifest.place, note=f"{manifest.place}: skipped {manifest.title}")
    except ManifestError as error:
        yield Finding(path, problems=(str(error),))


def check_site(paths: Iterable[str]) -> tuple[Given, tuple[str, ...]]:
    """What the files say of the site (its settings, a VRESite, or both), and what is wrong with them."""
    settings, rules, problems = Site(), SiteRules(), list[str]()
    for path in paths:
        try:
            for manifest in read(path):
                if manifest.document.get("kind") == names.SITE_KIND:
                    spec, wrong = _attempt(manifest.place, load_vresite, manifest.document)
                    rules.heed(spec)
                else:
                    found, wrong = _attempt(manifest.place, load_site, manifest.document)
                    settings = found or settings
                    if settings.vresite:
                        rules.heed(settings.vresite)
                problems += wrong
        except ManifestError as error:
            problems.append(str(error))
    rules.home = settings.operator_namespace
    return Given(settings, rules), tuple(problems)


def _environment(given: Given, document: Mapping[str, Any]) -> Environment:
    metadata = document.get("metadata")
    # What is no metadata is told of by `wanted`, which nothing can be given to.
    whole = effective(given.rules.site if isinstance(metadata, dict) else None, document, given.rules.home)
    spec = wanted(whole)
    name, namespace = document["metadata"]["name"], document["metadata"].get("namespace") or ""
    return Environment(Tenant(namespace, name, NOWHERE, NOWHERE, lent=whole.lent), spec)


def _beyond(given: Given, found: Environment | None) -> Iterator[str]:
    if found and given.rules.bounds:
        spec = found.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        yield from broken(given.rules.bounds, found.tenant.namespace, spec)


def _attempt(place: str, load: Callable[[Any], T], document: Any) -> tuple[T | None, tuple[str, ...]]:
    try:
        return load(document), ()
    except SpecError as error:
        lines = (f"{place}: {item.path}: {item.problem} -> {item.remedy}" for item in error.problems)
        return None, tuple(lines)
