"""Values that only another resource knows, written into a body as data and filled in just before the apply.

`Ref(secret_id, "password")` stands for that key's value, `Text("postgresql://u:", Ref(...), "@h/d")` for a
string around it, `ContentDigest(id)` for a short digest of another resource's final content (a pod template
carries it so that changed configuration rolls the pods), `Parsed(Ref(...))` for what a JSON text stands for,
`OutcomeOf(id)` for how another one does. A body with
refs can be printed: no secret is in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import orjson

from vre_operator.engine.resources import Resource, ResourceId


class Encode(StrEnum):
    """How a value is written into its surroundings."""

    PLAIN = "plain"
    URL = "url"  # percent-encoded, for the user and password parts of a URL
    INI = "ini"  # configparser interpolation: % doubled
    URL_INI = "url-ini"  # a URL inside an INI file
    JSON = "json"  # a JSON string literal, with its quotes


@dataclass(frozen=True, slots=True)
class Ref:
    """The value `output` of the resource `of`: a Secret's or ConfigMap's key, or what a target publishes.

    otherwise: what stands for it while there is none; then it is no need.
    ready: whether `of` must be ready; else its value is waited for, and nothing more.
    """

    of: ResourceId
    output: str
    encode: Encode = Encode.PLAIN
    otherwise: str | None = None
    ready: bool = True

    @property
    def needed(self) -> bool:
        return self.otherwise is None and self.ready

    def __str__(self) -> str:
        return f"<{self.of.short} {self.output}>"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the value of `ref`, a JSON text, stands for."""

    ref: Ref

    @property
    def of(self) -> ResourceId:
        return self.ref.of

    @property
    def needed(self) -> bool:
        return self.ref.needed

    def __str__(self) -> str:
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """16 hex digits over the resolved body of `of`."""

    of: ResourceId
    needed = True

    def __str__(self) -> str:
        return f"<digest of {self.of.short}>"


@dataclass(frozen=True, slots=True)
class OutcomeOf:
    """{result, reason, message, progress} of a resource in this walk: an order, and no need. What stands goes
    on while `of` is not ready, or can't be made."""

    of: ResourceId
    needed = False

    def __str__(self) -> str:
        return f"<how {self.of.short} does>"


class Text:
    """A string with refs in it: `Text("user ", Ref(...), "\\n")`."""

    __slots__ = ("parts",)

    def __init__(self, *parts: str | Ref | Text) -> None:
        flat: list[str | Ref] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Text) else (part,))
        self.parts: tuple[str | Ref, ...] = tuple(flat)

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


Reference = Ref | Parsed | ContentDigest | OutcomeOf


def references(body: Any) -> set[Reference] | None:
    """Every place in `body` that another resource fills in; None when it is JSON data as it stands."""
    found: set[Reference] = set()
    plain = True
    left = [body]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, Reference):
            plain = False
            found.add(item)
        elif isinstance(item, Text):
            plain = False
            found.update(part for part in item.parts if isinstance(part, Ref))
        elif isinstance(item, (list, tuple)):
            left.extend(item)
    return None if plain else found


def all_needs(resource: Resource, refs: Iterable[Reference] | None = None) -> frozenset[ResourceId]:
    """The stated needs and those that follow from refs: its own `references`, if they are at hand."""
    return resource.needs.union(ref.of for ref in _refs(resource, refs) if ref.needed)


def watches(resource: Resource, refs: Iterable[Reference] | None = None) -> frozenset[ResourceId]:
    """What it comes after without a need of it; refs as above."""
    return frozenset(ref.of for ref in _refs(resource, refs) if not ref.needed)


def _refs(resource: Resource, refs: Iterable[Reference] | None) -> Iterable[Reference]:
    return (references(resource.body) if refs is None else refs) or ()


def resolve(
    body: Any,
    value: Callable[[Ref], str],
    content_digest: Callable[[ResourceId], str],
    outcome_of: Callable[[ResourceId], Any] = str,
    parse: Callable[[str], Any] = json.loads,
) -> Any:
    """`body` as plain JSON data, refs replaced by what the functions answer, encoded (they may raise)."""
    if isinstance(body, (str, int)) or body is None:
        return body
    if isinstance(body, dict):
        return {key: resolve(item, value, content_digest, outcome_of, parse) for key, item in body.items()}
    if isinstance(body, (list, tuple)):
        return [resolve(item, value, content_digest, outcome_of, parse) for item in body]
    if isinstance(body, (Ref, Parsed)):
        return value(body) if isinstance(body, Ref) else parse(value(body.ref))
    if isinstance(body, (ContentDigest, OutcomeOf)):
        return (outcome_of if isinstance(body, OutcomeOf) else content_digest)(body.of)
    if isinstance(body, Text):
        return "".join(part if isinstance(part, str) else value(part) for part in body.parts)
    raise TypeError(f"{type(body).__name__} is no JSON data")


def printable(body: Any) -> Any:
    """`body` as plain data with every ref shown as a placeholder: for `vre render`, plans and snapshots."""
    return resolve(body, str, lambda of: str(ContentDigest(of)), lambda of: str(OutcomeOf(of)), str)


def encode(value: str, how: Encode) -> str:
    match how:
        case Encode.PLAIN:
            return value
        case Encode.URL:
            return quote(value, safe="")
        case Encode.INI:
            return value.replace("%", "%%")
        case Encode.URL_INI:
            return quote(value, safe="").replace("%", "%%")
        case Encode.JSON:
            return json.dumps(value)


def digest(body: Any) -> str:
    """16 hex digits over plain JSON data, the same for the same content in any key order."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def secret_data(resolved: Mapping[str, Any]) -> dict[str, str]:
    """A resolved Secret's `stringData` as the base64 `data` that the API server stores."""
    return {key: base64.b64encode(str(text).encode()).decode() for key, text in resolved.items()}
