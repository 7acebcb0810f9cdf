"""One RSE: what is wanted, what Rucio says of it, and the requests that lead from one to the other. Pure.

Wanted (a resource's body), all optional but `name`:
    settings    {rse_type, deterministic, volatile, availability_read, availability_write, availability_delete}
    attributes  {name: text}
    protocols   [{scheme, hostname, port, prefix, impl, domains, extended_attributes}]
    limits      {MinFreeSpace, MaxSpaceAvailable: bytes}
    unmanaged   aspects of the above that are set once and then left to people

Seen is what `GET /export` says of an RSE, with its limits. Sources: contracts/rucio.md section 6, rucio's
core/importer.py and core/rse.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vre_operator.targets.rucio.change import Change, same

Body = Mapping[str, Any]

# Rucio keeps them as attributes, too.
_OF_ITS_OWN = frozenset({"continent", "city", "region_code", "country_name", "time_zone", "ISP", "ASN"})
_PROTOCOL_KEY = ("scheme", "hostname", "port")


def changes(name: str, wanted: Body, seen: Body | None) -> list[Change]:
    """What leads from `seen` to `wanted`; nothing when it is as wanted.

    The import makes or changes everything that it can in one transaction, so a kill leaves the RSE as it was or
    with all of that; what it cannot do comes after it, one by one.
    """
    managed = wanted if seen is None else _managed(wanted)
    found = seen or {}
    imported: dict[str, Any] = {}
    fields: list[str] = []
    for part, differing in _imported(name, managed, found):
        imported |= part
        fields += differing
    result = [] if not fields and seen is not None else [_import(name, fields, imported)]
    return result + list(_singly(name, managed, found))


def _managed(wanted: Body) -> Body:
    left = {aspect.lower() for aspect in wanted.get("unmanaged", ())}
    return {key: value for key, value in wanted.items() if key not in left}


def _imported(name: str, wanted: Body, seen: Body) -> Iterator[tuple[dict[str, Any], list[str]]]:
    settings = {key: value for key, value in wanted.get("settings", {}).items() if seen.get(key) != value}
    yield settings, list(settings)
    has = seen.get("attributes", {})
    attributes = {
        key: value
        for key, value in wanted.get("attributes", {}).items()
        if key not in has or not same(value, has[key])
    }
    if attributes:
        yield {"attributes": attributes}, [f"attributes.{key}" for key in attributes]
    known = {_key(protocol): protocol for protocol in seen.get("protocols", ())}
    protocols = [one for one in wanted.get("protocols", ()) if not _same_protocol(one, known.get(_key(one)))]
    if protocols:
        yield {"protocols": [dict(one) for one in protocols]}, [f"protocols.{_words(one)}" for one in protocols]


def _import(name: str, fields: list[str], content: dict[str, Any]) -> Change:
    return Change(", ".join(fields) or "it is not there", "POST", ("import",), {"rses": {name: content}})


def _singly(name: str, wanted: Body, seen: Body) -> Iterator[Change]:
    if "attributes" in wanted:
        for key in sorted(
            seen.get("attributes", {}).keys() - wanted["attributes"].keys() - _OF_ITS_OWN - {name}
        ):
            path = ("rses", name, "attr", key)
            yield Change(f"attributes.{key}", "DELETE", path, done=("RSEAttributeNotFound",))
    if "protocols" in wanted:
        kept = {_key(protocol) for protocol in wanted["protocols"]}
        for protocol in seen.get("protocols", ()):
            if _key(protocol) not in kept:
                way = ("rses", name, "protocols", *map(str, _key(protocol)))
                yield Change(f"protocols.{_words(protocol)}", "DELETE", way, done=("RSEProtocolNotSupported",))
    if "limits" in wanted:
        has = seen.get("limits", {})
        for key, value in sorted(wanted["limits"].items()):
            if has.get(key) != value:
                yield Change(f"limits.{key}", "PUT", ("rses", name, "limits"), {"name": key, "value": value})
        for key in sorted(has.keys() - wanted["limits"].keys()):
            yield Change(f"limits.{key}", "DELETE", ("rses", name, "limits"), {"name": key})


def _same_protocol(wanted: Body, seen: Body | None) -> bool:
    return seen is not None and all(
        (seen.get(key) or None) == (value or None) if key == "extended_attributes" else seen.get(key) == value
        for key, value in wanted.items()
    )


def _key(protocol: Body) -> tuple[Any, ...]:
    return tuple(protocol[part] for part in _PROTOCOL_KEY)


def _words(protocol: Body) -> str:
    return f"{protocol['scheme']}://{protocol['hostname']}:{protocol['port']}"
