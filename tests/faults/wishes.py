"""Specs of VREEnvironments as the CRD's own schema allows them, and hostile text for every string of them."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.long import LONG
from tests.site import ROOT
from vre_operator.api.rules import quantity

Json = dict[str, Any]
Path = tuple[str | int, ...]

MARK = "h0stile"
"""Is in every hostile string, to be looked for in what was rendered."""

HOSTILE = (
    f"{MARK}: [yaml, *alias, &anchor, !!python/object:os.system]",
    f"- {MARK}\n---\nkind: ClusterRoleBinding\n",
    f"{MARK}'; DROP TABLE users; --",
    f"$({MARK}) `{MARK}` ${{{MARK}}} && {MARK} | {MARK} > /dev/null",
    f"{{{{ {MARK} }}}} {{% {MARK} %}} %({MARK})s %s {{{MARK}}}",
    f"<script>{MARK}</script><img src=x onerror={MARK}>",
    f'"""\n{MARK}\n"""\n\'\'\'',
    f"{MARK}\r\nSet-Cookie: a=b\r\n\r\n",
    f"{MARK}\\u0000\\x00\\",
    f"\u202e{MARK}\u2066\u200f\ufeff",
    f"../../{MARK}/..%2f..%2f",
    f"{MARK}\U0001f30a\u0301\u0378",
    f"\x7f\x1b[31m{MARK}\x07",
    MARK * 3000,
)

_PATTERN = re.compile(r"self\.matches\(r'(\^.*\$)'\)")
_SIZES = ("256Mi", "512Mi", "1Gi", "1.5Gi", "10G", "0.5Ti", "2Ti", "1000000k", "999999999999999Ki")
_MATCHES = 150 if LONG else 30
_WORDS = ("a", "ocean", "vre-1", "x" * 63, "0", "a.b", "team:ocean/admins", "Ünïcode ist's", "-")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the spec. path: keys, 0 for the items of a list."""

    path: Path
    schema: Mapping[str, Any]

    def __str__(self) -> str:
        return ".".join(map(str, self.path))


@cache
def schema() -> Json:
    """Of `spec`."""
    (file,) = (ROOT / "crds").glob("*vreenvironments*.yaml")
    version = yaml.safe_load(file.read_text())["spec"]["versions"][0]
    found: Json = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def leaves(node: Mapping[str, Any] | None = None, path: Path = ()) -> Iterator[Leaf]:
    """Every value that is no object, items of lists included."""
    node = schema() if node is None else node
    match node["type"]:
        case "object":
            for name, child in node.get("properties", {}).items():
                yield from leaves(child, (*path, name))
        case "array":
            yield Leaf(path, node)
            yield from leaves(node["items"], (*path, 0))
        case _:
            yield Leaf(path, node)


def put(spec: Mapping[str, Any], path: Path, value: Any) -> Json:
    """A copy of `spec` with `value` at `path`; what is missing on the way is made. 0: a list's first item."""
    made: Json = {"spec": copy.deepcopy(dict(spec))}
    at: Any = made
    key: str | int = "spec"
    for following in path:
        if isinstance(at, list) and not at:
            at.append({})
        if isinstance(at, dict) and not isinstance(at.get(key), (dict, list)):
            at[key] = [] if following == 0 else {}
        at, key = at[key], following
    if isinstance(at, list):
        at[:1] = [value]
    else:
        at[key] = value
    result: Json = made["spec"]
    return result


def pattern_of(node: Mapping[str, Any]) -> re.Pattern[str] | None:
    """What a string must match as a whole, by a rule in CEL."""
    for rule in node.get("x-kubernetes-validations", ()):
        if found := _PATTERN.fullmatch(rule["rule"]):
            return re.compile(found[1].removeprefix("^").removesuffix("$"))
    return None


def values_of(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What the schema of `node` allows; its edges often."""
    match node["type"]:
        case "object":
            required = set(node.get("required", ()))
            fields = {name: values_of(child) for name, child in node.get("properties", {}).items()}
            return st.fixed_dictionaries(
                {name: fields[name] for name in fields if name in required},
                optional={name: fields[name] for name in fields if name not in required},
            )
        case "array":
            keys = node.get("x-kubernetes-list-map-keys", ())
            return st.lists(
                values_of(node["items"]),
                min_size=node.get("minItems", 0),
                max_size=4,
                unique_by=lambda item: tuple(item.get(key) for key in keys) if keys else repr(item),
            )
        case "boolean":
            return st.booleans()
        case "integer":
            low, high = node["minimum"], node["maximum"]
            return st.sampled_from((low, high)) | st.integers(low, high)
        case "number":
            low, high = node["minimum"], node["maximum"]
            return st.sampled_from((low, high)) | st.floats(low, high, allow_nan=False)
        case _:
            return _texts(node)


def _texts(node: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in node:
        return st.sampled_from(node["enum"])
    rules = " ".join(rule["rule"] for rule in node.get("x-kubernetes-validations", ()))
    if "quantity(" in rules or "[KMGTP]i" in rules:
        return st.sampled_from(_SIZES)
    longest = node["maxLength"]
    if pattern := pattern_of(node):
        return st.sampled_from(_matches(pattern, longest))
    words = [text for text in (*_WORDS, *HOSTILE, MARK + "x" * (longest - len(MARK))) if len(text) <= longest]
    return st.sampled_from(words) | st.text(min_size=node.get("minLength", 0), max_size=min(longest, 40))


@cache
def _matches(pattern: re.Pattern[str], longest: int) -> list[str]:
    """Drawn once: to draw each text afresh took more than half of the time of all wishes."""
    found = set[str]()

    @seed(0)
    @settings(
        max_examples=_MATCHES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= longest))
    def gather(text: str) -> None:
        found.add(text)

    gather()
    return sorted(found)


def _mended(spec: Json) -> Json:
    """With the rules kept that cross fields: a spec that breaks them tells nothing new."""
    # Without these two it is the site's to say what becomes of it.
    spec.setdefault("hostname", "vre.example.org")
    # One of a site, and there is none.
    spec.pop("preset", None)
    identity = spec["identity"]
    identity.setdefault("issuer", "https://login.example.org/realms/vre")
    identity["allowAll"] = not identity.get("allowedGroups")
    if identity.get("provider", "manual") not in ("generic-dcr", "iam-dcr"):
        identity.setdefault("credentialsSecret", {"name": "login"})
    if identity.get("provider", "").startswith("keycloak-"):
        identity["issuer"] = identity["issuer"].partition("/realms/")[0].rstrip("/")[:400] + "/realms/vre"
    if "scopes" in identity:
        identity["scopes"] = ["openid", *(scope for scope in identity["scopes"] if scope != "openid")]
    tls = spec.get("exposure", {}).get("tls", {})
    if "secret" in tls:
        tls.pop("certManager", None)
    if "gateway" in (exposure := spec.get("exposure", {})):
        exposure.pop("ingressClass", None)
        exposure.pop("tls", None)
    _mend_resources(spec.get("notebooks", {}))
    homes = spec.get("storage", {}).get("homes", {})
    if "volume" in homes:
        homes.pop("claim", None)
    if not homes.keys() & {"volume", "claim"}:
        spec.get("notebooks", {}).pop("namedSessions", None)
    for entry in spec.get("catalogue", {}).get("entries", ()):
        _mend_resources(entry)
        lifecycle = entry.get("lifecycle", {})
        if lifecycle.keys() & {"successor", "until"}:
            lifecycle["stage"] = "Deprecated"
    shares = spec.get("storage", {}).get("shares", [])
    for share in shares:
        _mend_share(share)
    shares[:] = _apart(shares)
    _mend_lake(spec, spec.get("dataLake", {}))
    _mend_workflows(spec, spec.get("workflows", {}))
    return spec


def _mend_resources(owner: Json) -> None:
    resources = owner.get("resources", {})
    if resources.get("cpuGuarantee", 0.1) > resources.get("cpuLimit", 2):
        resources["cpuGuarantee"] = 0
    if quantity(resources.get("memoryGuarantee", "512Mi")) > quantity(resources.get("memoryLimit", "2Gi")):
        resources["memoryGuarantee"] = "128Mi"


def _mend_share(share: Json) -> None:
    place = next((place for place in ("volume", "claim", "cvmfs") if place in share), "volume")
    share.setdefault(place, {"size": "1Gi"})
    for other in {"volume", "claim", "cvmfs"} - {place}:
        share.pop(other, None)
    if share.get("readOnly") or place == "cvmfs":
        share.pop("writers", None)


def _apart(shares: Sequence[Json]) -> list[Json]:
    """Those of which none has its place in another's."""
    kept: dict[str, Json] = {}
    for share in shares:
        path = share.get("mountPath") or ("/cvmfs" if "cvmfs" in share else f"/shared/{share['name']}")
        if not any(f"{path}/".startswith(f"{one}/") or f"{one}/".startswith(f"{path}/") for one in kept):
            kept[path] = share
    return list(kept.values())


_OWN_ONLY = ("hostname", "clientSecret", "storage", "people", "probe", "history", "transfers", "policyPackage")


def _mend_lake(spec: Json, lake: Json) -> None:
    if "attach" in lake:
        for name in _OWN_ONLY:
            lake.pop(name, None)
    for rse in lake.get("rses", ()):
        for protocol in rse.get("protocols", ()):
            if protocol["scheme"] not in ("https", "http"):
                protocol.pop("implementation", None)
    if lake.get("hostname") == spec["hostname"]:
        del lake["hostname"]
    transfers = lake.get("transfers", {})
    if not transfers.get("fts", "").startswith("https://"):
        transfers.pop("x509", None)
    people = lake.get("people", {})
    if "credentialsSecret" not in people:
        people.pop("scim", None)
    if spec["identity"].get("provider") != "keycloak-admin" and "scim" not in people:
        people.pop("enabled", None)
    hostnames, names = {spec["hostname"], lake.get("hostname")}, {rse["name"] for rse in lake.get("rses", ())}
    for subscription in lake.get("subscriptions", ()):
        subscription["filter"].setdefault("pattern", "raw")
    if lake.get("subscriptions"):
        daemons = lake.setdefault("daemons", {})
        daemons["groups"] = sorted({*daemons.get("groups", ()), "Subscriptions"})
    _mend_storages(lake, hostnames, names)
    probe = lake.get("probe", {})
    if not probe.get("rses") and not lake.get("storage"):
        probe.pop("enabled", None)


def _mend_storages(lake: Json, hostnames: set[str | None], names: set[str]) -> None:
    for storage in list(lake.get("storage", ())):
        if storage["hostname"] in hostnames or storage["name"] in names:
            lake["storage"].remove(storage)
        hostnames.add(storage["hostname"])
        if quantity(storage.get("size", "1Gi")) < quantity("1Gi"):
            del storage["size"]


def _mend_workflows(spec: Json, workflows: Json) -> None:
    lake = spec.get("dataLake", {})
    others = {spec["hostname"], lake.get("hostname"), *(one["hostname"] for one in lake.get("storage", ()))}
    if workflows.get("hostname") in others:
        workflows.pop("hostname", None)
    if "hostname" not in workflows:
        workflows.pop("enabled", None)
    if "Serial" not in workflows.get("engines", ["Serial"]):
        workflows.get("probe", {}).pop("enabled", None)
    by_admin = spec["identity"].get("provider") == "keycloak-admin"
    people = lake.get("people", {}).get("enabled")
    if not (by_admin and people and lake.get("enabled") and spec.get("notebooks", {}).get("enabled", True)):
        workflows.pop("dataLake", None)
    told = by_admin or people
    quotas = {
        quota.get("group", ""): quota
        for quota in workflows.get("quotas", ())
        if ("cpuHours" in quota or "disk" in quota) and (told or not quota.get("group"))
    }
    workflows["quotas"] = list(quotas.values())
    _mend_realms(workflows.get("kerberos", {}).get("realms", []))
    jobs = workflows.get("jobs", {})
    for memory in ("memory", "maxMemory"):
        if quantity(jobs.get(memory, "64Mi")) < quantity("64Mi"):
            del jobs[memory]
    if quantity(jobs.get("memory", "4Gi")) > quantity(jobs.get("maxMemory", "8Gi")):
        jobs.pop("memory", None)
        jobs.pop("maxMemory", None)
    if jobs.get("timeoutSeconds", 604_800) > jobs.get("maxTimeoutSeconds", 1_209_600):
        jobs.pop("timeoutSeconds", None)
        jobs.pop("maxTimeoutSeconds", None)
    manager = spec.get("exposure", {}).get("tls", {}).get("certManager", {})
    if workflows.get("enabled"):
        manager.pop("kind", None)


def _mend_realms(realms: list[Json]) -> None:
    if realms and "CERN.CH" not in {realm["name"] for realm in realms}:
        realms[0]["name"] = "CERN.CH"
    seen = set[str]()
    for realm in realms:
        realm["domains"] = [domain for domain in realm.get("domains", ()) if domain not in seen]
        seen.update(realm["domains"])


def wishes(**fixed: Any) -> st.SearchStrategy[Json]:
    """Specs that are nearly all admitted. fixed: fields that all of them have so."""
    return values_of(schema()).map(lambda spec: _mended(spec | copy.deepcopy(fixed)))


def crossed(wishes: Sequence[Json], chance: random.Random) -> Json:
    """Parts of several of `wishes` in one: another wish, at a hundredth of what it costs to draw one."""
    mixed = _mixed(wishes, chance, deep=True)
    mixed["hostname"], mixed["identity"]["issuer"] = chance.choice(
        [(one["hostname"], one["identity"]["issuer"]) for one in wishes]
    )
    return _mended(copy.deepcopy(mixed))


def _mixed(parts: Sequence[Json], chance: random.Random, *, deep: bool) -> Json:
    mixed: Json = {}
    for name in sorted(set().union(*parts)):
        given = [part.get(name) for part in parts]
        if deep and isinstance(chance.choice(given), dict):
            mixed[name] = _mixed([one for one in given if one is not None], chance, deep=False)
        elif (value := chance.choice(given)) is not None:
            mixed[name] = value
    return mixed
