"""Every field of an object that is the operator's, and values for it of which the API server takes one."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from vre_operator.api import names

Json = dict[str, Any]
_MISSING = object()
# For a field with few allowed values.
_WORDS = (
    "NodePort",
    "Always",
    "UDP",
    "Exact",
    "Recreate",
    "OnFailure",
    "Parallel",
    "Retain",
    "privileged",
    "latest",
)


def owned(obj: Mapping[str, Any]) -> list[str]:
    """JSON pointers of the leaves that the operator applied."""
    found: set[str] = set()
    for entry in obj["metadata"].get("managedFields") or ():
        ours = (entry["manager"], entry["operation"]) == (names.FIELD_MANAGER, "Apply")
        if ours and "subresource" not in entry:
            found.update(_leaves(entry["fieldsV1"], obj, ""))
    return sorted(found)


def _leaves(fields: Mapping[str, Any], value: Any, pointer: str, keys: Collection[str] = ()) -> Iterator[str]:
    """keys: those that tell this item of a list. With another key it is another item, so the item is a leaf."""
    inner = {key: below for key, below in fields.items() if key != "." and key[2:] not in keys}
    if not inner or keys:
        yield pointer
    for key, below in inner.items():
        step, found = _step(key, value)
        if found is not _MISSING:
            tells = json.loads(key[2:]) if key.startswith("k:") else ()
            yield from _leaves(below, found, f"{pointer}/{step}", tells)


def _step(key: str, value: Any) -> tuple[str, Any]:
    """What a key of fieldsV1 leads to: f:NAME, k:{KEYS OF A LIST'S ITEM} or v:VALUE OF A SET."""
    how, _, what = key.partition(":")
    if how == "f":
        return what.replace("~", "~0").replace("/", "~1"), value.get(what, _MISSING)
    told = json.loads(what)
    for index, item in enumerate(value):
        if item == told if how == "v" else all(item.get(name) == part for name, part in told.items()):
            return str(index), item
    return "", _MISSING


def at(obj: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        obj = obj[int(name)] if isinstance(obj, Sequence) else obj[name]
    return obj


def others(pointer: str, value: Any) -> Iterator[Json]:
    """JSON patches, each a way to spoil the field; the last one takes it away."""
    for candidate in _values(pointer, value):
        yield {"op": "replace", "path": pointer, "value": candidate}
    yield {"op": "remove", "path": pointer}


def _values(pointer: str, value: Any) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + 1
            yield value - 1
        case str():
            if pointer.startswith(("/data/", "/binaryData/")):
                yield base64.b64encode(b"spoiled").decode()
            yield from (f"{value}x", "1", "3Mi", *_WORDS)
        case list():
            yield value[:-1]
            yield [*value, *value[-1:]]
        case dict() if not pointer.rpartition("/")[2].isdigit():
            yield value | {"spoiled": "x"}
            yield {}
