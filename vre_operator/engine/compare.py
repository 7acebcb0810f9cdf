"""Is the live object as wanted? Pure: every field that we state must be there as stated, others don't matter.

The API server adds defaults, other writers add fields, lists with keys may get more entries: all of that is
theirs. What it replaces as a whole (a selector, the rules of a policy or a role) must be equal to the last
entry, for an entry more is a hole in a wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from vre_operator.engine.refs import digest


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` for people. `live` stands for what was found there: a digest, since it may be secret."""

    path: str
    live: str


# Lists that the API server merges by key, by the last names of their path. All others are replaced as a whole.
_KEYED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("containers",): ("name",),
    ("initContainers",): ("name",),
    ("env",): ("name",),
    ("volumes",): ("name",),
    ("imagePullSecrets",): ("name",),
    ("volumeMounts",): ("mountPath",),
    ("volumeDevices",): ("devicePath",),
    ("hostAliases",): ("ip",),
    ("topologySpreadConstraints",): ("topologyKey", "whenUnsatisfiable"),
    ("volumeClaimTemplates",): ("metadata.name",),
    ("containers", "ports"): ("containerPort", "protocol"),
    ("initContainers", "ports"): ("containerPort", "protocol"),
    ("spec", "ports"): ("port", "protocol"),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
# Maps that are replaced as a whole.
_EXACT = frozenset(
    {"selector", "podSelector", "namespaceSelector", "objectSelector", "matchLabels", "nodeSelector"}
)
# Fields below these hold quantities: 0.5 is 500m there, and nowhere else.
_QUANTITIES = frozenset({"limits", "requests", "hard", "default", "defaultRequest", "max", "min", "sizeLimit"})
_UNITS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}

_ABSENT = object()
_Path = tuple[str, ...]


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[Difference]:
    """Every place where `live` is not as `wanted` states, in the order of `wanted`."""
    return _compare_map((), "", wanted, live)


def _compare(path: _Path, text: str, wanted: Any, live: Any) -> Iterator[Difference]:
    if wanted is None or (live is _ABSENT and _is_zero(wanted)):
        return  # the API server drops zero values
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        yield from _compare_map(path, text, wanted, live)
    elif isinstance(wanted, (list, tuple)) and isinstance(live, (list, tuple)):
        yield from _compare_list(path, text, wanted, live)
    elif not _same(path, wanted, live):
        yield _difference(text, live)


def _compare_map(
    path: _Path, text: str, wanted: Mapping[str, Any], live: Mapping[str, Any]
) -> Iterator[Difference]:
    for key, value in wanted.items():
        found = live.get(key, _ABSENT)
        # Most of it is as wanted to the letter. The type, too: 1 is not True.
        if type(value) is not type(found) or value != found or isinstance(value, (dict, list)):
            yield from _compare((*path, key), f"{text}.{key}" if text else key, value, found)
    if path and path[-1] in _EXACT:
        for key in live.keys() - wanted.keys():
            yield _difference(f"{text}.{key}", live[key])


def _compare_list(path: _Path, text: str, wanted: Sequence[Any], live: Sequence[Any]) -> Iterator[Difference]:
    keys = _KEYED.get(path[-1:]) or _KEYED.get(path[-2:])
    stated, found = _by_key(wanted, keys), _by_key(live, keys)
    if stated is not None and found is not None:
        for key, item in stated.items():
            yield from _compare(path, f"{text}[{key[0]}]", item, found.get(key, _ABSENT))
    elif len(wanted) != len(live):
        yield _difference(text, live)
    else:
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _compare(path, f"{text}[{index}]", one, other)


def _by_key(items: Sequence[Any], keys: tuple[str, ...] | None) -> dict[tuple[Any, ...], Any] | None:
    """None unless these are the items of a list with keys."""
    if keys is None or not all(isinstance(item, Mapping) for item in items):
        return None
    found = {tuple(_key(item, name) for name in keys): item for item in items}
    return found if len(found) == len(items) and all(key[0] is not None for key in found) else None


def _key(item: Mapping[str, Any], name: str) -> Any:
    found: Any = item
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return _KEY_DEFAULTS.get(name) if found is None else str(found)


def _is_zero(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_zero(item) for item in value.values())
    return value is None or value is False or value in (0, "", [], ())


def _same(path: _Path, wanted: Any, live: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if wanted == live:
        return True
    if not isinstance(wanted, (str, int, float)) or not isinstance(live, (str, int, float)):
        return False
    if path[0] != "data" and _QUANTITIES.intersection(path[-2:]):
        number = _quantity(wanted)
        return number is not None and number == _quantity(live)
    # Ports are read back as the type that they were first written in.
    return not (isinstance(wanted, str) and isinstance(live, str)) and str(wanted) == str(live)


def _quantity(value: str | float) -> Decimal | None:
    text = str(value)
    for length in (2, 1):
        if (unit := _UNITS.get(text[-length:])) is not None:
            text, factor = text[:-length], unit
            break
    else:
        factor = Decimal(1)
    try:
        return Decimal(text) * factor
    except InvalidOperation:
        return None


def _difference(text: str, live: Any) -> Difference:
    return Difference(text, "" if live is _ABSENT else digest(live))
