"""The site's bounds on what tenants ask for, each said once: as CEL for admission, as a predicate for who is.

The policy that comes of it (`admission_policy`) is the API server's word on every new wish. What a tenant asks
for already stays allowed while it is not changed, or a bound that the site draws closer would hold up a change
of something else. The operator's own word (`broken`) is about the whole wish, and ends nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from vre_operator.api import names
from vre_operator.api.paths import at
from vre_operator.api.rules import quantity
from vre_operator.api.vresite import Bounds, Grant

_IMAGES = ("catalogue.entries[].image", "workflows.vettedImages[]")
_HOSTNAMES = ("hostname", "dataLake.hostname", "dataLake.storage[].hostname", "workflows.hostname")
_CLASSES = (
    "storage.homes.storageClass",
    "storage.homes.volume.storageClass",
    "storage.shares[].volume.storageClass",
    "storage.shares[].cvmfs.storageClass",
    "dataLake.storage[].storageClass",
    "workflows.volume.storageClass",
    "database.embedded.storageClass",
)
_SERVICES = (
    "dataLake.attach.url",
    "dataLake.attach.authUrl",
    "dataLake.transfers.fts",
    "dataLake.transfers.x509.voms.url",
    "dataLake.people.scim.url",
    "storage.s3[].endpoint",
)
_VOLUMES = (
    "storage.homes.volume.size",
    "storage.shares[].volume.size",
    "dataLake.storage[].size",
    "workflows.volume.size",
    "database.embedded.size",
)
_SESSIONS = ("notebooks.resources", "catalogue.entries[].resources")


@dataclass(frozen=True, slots=True)
class Bound:
    """field: below spec.bounds of the VRESite; bounds nothing where it is absent, empty or false.

    paths: of a tenant's spec, `[]` after a list. cel: whether the value `v` may be, by the field's value `b`
    and the tenant's namespace `ns`; permits: the same in Python. told: how `b` reads in a message, as CEL and
    in Python.
    """

    field: str
    paths: tuple[str, ...]
    cel: str
    permits: Callable[[Any, str, Any], bool]
    problem: str
    remedy: str
    listed: bool = True


def _below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _granted(grants: Sequence[Grant], namespace: str, hostname: str) -> bool:
    return any(
        not grant.domains
        or any(_below(hostname, domain.replace("{namespace}", namespace)) for domain in grant.domains)
        for grant in matching(grants, namespace)
    )


def matching(grants: Sequence[Grant], namespace: str) -> list[Grant]:
    """The grants that speak of this namespace."""
    return [
        grant
        for grant in grants
        if any(re.fullmatch(pattern.replace("*", ".*"), namespace) for pattern in grant.namespaces)
    ]


_MATCHING = "g.namespaces.exists(p, ns.matches('^' + p.replace('*', '.*') + '$'))"
_UNDER = "{host} == d || {host}.endsWith('.' + d)"


def _most(field: str, what: str, *paths: str, size: bool = False) -> Bound:
    """size: a quantity."""
    return Bound(
        f"maximum.{field}",
        paths,
        "quantity(v).compareTo(quantity(b)) <= 0" if size else "v <= b",
        (lambda b, ns, v: quantity(v) <= quantity(b)) if size else (lambda b, ns, v: v <= b),
        f"is more than the site lets {what} have",
        "ask for at most",
        listed=False,
    )


def _hosts(field: str, paths: tuple[str, ...], what: str, *, url: bool = False) -> Bound:
    host = "url(v).getHostname()" if url else "v"
    return Bound(
        field,
        paths,
        f"b.exists(d, {_UNDER.format(host=host)})",
        lambda b, ns, v: any(_below(_host(v) if url else v, domain) for domain in b),
        f"is no host of {what} that this site allows",
        "use one in",
    )


BOUNDS: tuple[Bound, ...] = (
    Bound(
        "grants",
        _HOSTNAMES,
        f"b.exists(g, {_MATCHING} && (!has(g.domains) || size(g.domains) == 0 || g.domains.map(d,"
        f" d.replace('{{namespace}}', ns)).exists(d, {_UNDER.format(host='v')})))",
        _granted,
        "is in no domain that the site gave to this namespace",
        "choose a name below one of them, or ask the site's admin for a grant",
        listed=False,
    ),
    Bound(
        "issuers",
        ("identity.issuer",),
        "v in b",
        lambda b, ns, v: v in b,
        "is no identity provider of this site",
        "use one of",
    ),
    Bound(
        "registries",
        _IMAGES,
        "b.exists(r, v.startsWith(r + '/'))",
        lambda b, ns, v: any(v.startswith(f"{registry}/") for registry in b),
        "is from no registry of this site",
        "use an image below",
    ),
    Bound(
        "digests",
        _IMAGES[:1],
        "v.matches('@sha256:[0-9a-f]{64}$')",
        lambda b, ns, v: re.search(r"@sha256:[0-9a-f]{64}\Z", v) is not None,
        "is not named by digest",
        "write IMAGE@sha256:DIGEST, as the registry tells it",
        listed=False,
    ),
    Bound(
        "storageClasses",
        _CLASSES,
        "v in b",
        lambda b, ns, v: v in b,
        "is no StorageClass for tenants",
        "leave it out for the default, or use one of",
    ),
    Bound(
        "ingressClasses",
        ("exposure.ingressClass",),
        "v in b",
        lambda b, ns, v: v in b,
        "is no IngressClass for tenants",
        "leave it out for the site's own, or use one of",
    ),
    Bound(
        "gateways",
        ("exposure.gateway",),
        "(v.namespace + '/' + v.name) in b",
        lambda b, ns, v: f"{v['namespace']}/{v['name']}" in b,
        "is no Gateway for tenants",
        "leave it out for the site's own, or use one of",
    ),
    Bound(
        "certificateIssuers",
        ("exposure.tls.certManager.issuer",),
        "v in b || (has(object.spec.exposure.tls.certManager.kind)"
        " && object.spec.exposure.tls.certManager.kind == 'Issuer')",
        lambda b, ns, v: v in b,
        "is no ClusterIssuer for tenants",
        "use an Issuer of your own, or one of",
    ),
    _hosts("rseHosts", ("dataLake.rses[].protocols[].hostname",), "storage"),
    _hosts("serviceHosts", _SERVICES, "a service", url=True),
    _most("cpu", "a session", *(f"{path}.cpuLimit" for path in _SESSIONS)),
    _most("memory", "a session", *(f"{path}.memoryLimit" for path in _SESSIONS), size=True),
    _most("gpus", "a session", "catalogue.entries[].gpus.count"),
    _most("sessions", "a tenant", "notebooks.maxSessions"),
    _most("home", "a person", "storage.homes.size", size=True),
    _most("volume", "a tenant", *_VOLUMES, size=True),
    _most("runningWorkflows", "a tenant", "workflows.maxRunning"),
    _most("jobMemory", "a job", "workflows.jobs.maxMemory", size=True),
)


# --- for who stands -----------------------------------------------------------------------------------------


def broken(bounds: Bounds, namespace: str, spec: Mapping[str, Any]) -> Iterator[str]:
    """What of the wish (as the API server has it, with defaults) is out of bounds: field, problem, remedy."""
    drawn = bounds.model_dump(mode="python", by_alias=True)
    if bounds.grants and not matching(bounds.grants, namespace):
        yield f"metadata.namespace: {_UNGRANTED}"
        return
    for bound in BOUNDS:
        limit = bounds.grants if bound.field == "grants" else at(drawn, *bound.field.split("."))
        if limit is None or limit is False or limit == ():
            continue
        for path in bound.paths:
            for where, value in _values(spec, path.split("."), "spec"):
                if _bounded(bound, spec) and not bound.permits(limit, namespace, value):
                    yield f"{where}: {bound.problem}: {bound.remedy}{_listing(bound, limit)}"


def _bounded(bound: Bound, spec: Mapping[str, Any]) -> bool:
    """An Issuer in the tenant's own namespace is the tenant's."""
    return bound.field != "certificateIssuers" or at(spec, "exposure", "tls", "certManager", "kind") != "Issuer"


def _listing(bound: Bound, limit: Any) -> str:
    if bound.listed:
        return f" {', '.join(limit)}"
    return f" {limit:g}" if isinstance(limit, float) else f" {limit}" if bound.field[:8] == "maximum." else ""


def _values(node: Any, keys: Sequence[str], where: str) -> Iterator[tuple[str, Any]]:
    """Every value at the path, with its place."""
    if not keys:
        if node is not None:
            yield where, node
        return
    if not isinstance(node, Mapping):
        return
    key, listed, _ = keys[0].partition("[]")
    found = node.get(key)
    if not listed:
        yield from _values(found, keys[1:], f"{where}.{key}")
        return
    for index, item in enumerate(found or ()):
        yield from _values(item, keys[1:], f"{where}.{key}[{index}]")


# --- for admission ------------------------------------------------------------------------------------------

_UNGRANTED = (
    "the site gave it no VREEnvironment: ask the site's admin for a grant, or use a namespace that has one"
)


def admission_policy() -> dict[str, Any]:
    """spec of the ValidatingAdmissionPolicy; its parameter is the VRESite."""
    validations = [
        {
            "expression": "!has(variables.bounds.grants) || size(variables.bounds.grants) == 0"
            f" || oldObject != null || variables.bounds.grants.exists(g, {_named(_MATCHING)})",
            "message": f"metadata.namespace: {_UNGRANTED}",
        }
    ]
    validations += [_validation(bound, path) for bound in BOUNDS for path in bound.paths]
    validations.append(_preset())
    return {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": names.API_VERSION, "kind": names.SITE_KIND},
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [names.GROUP],
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": [names.PLURAL],
                }
            ]
        },
        # Finalizers and labels are no wish, and must always be possible.
        "matchConditions": [
            {"name": "a-new-wish", "expression": "oldObject == null || object.spec != oldObject.spec"}
        ],
        "variables": [
            # Both have defaults in the schema.
            {"name": "bounds", "expression": "params.spec.bounds"},
        ],
        "validations": validations,
    }


def _preset() -> dict[str, str]:
    said = "spec.preset: is no preset of this site: leave it out, or use one of"
    known = "params.spec.presets"
    return {
        "expression": f"!has(object.spec.preset) || {_same(['preset'])}"
        f" || (has({known}) && {known}.exists(p, p.name == object.spec.preset))",
        "message": f"{said} spec.presets of the VRESite",
        "messageExpression": f"{json.dumps(f'{said} ')} + {known}.map(p, p.name).join(', ')",
    }


def _named(cel: str) -> str:
    """`ns` written out: a macro's variable cannot be one of the policy's."""
    return _put("ns", "object.metadata.namespace", cel)


def _validation(bound: Bound, path: str) -> dict[str, str]:
    limit = f"variables.bounds.{bound.field}"
    keys = path.split(".")
    allowed = _named(_put("b", limit, bound.cel))
    expression = " || ".join(
        (
            f"!({_has('variables.bounds', bound.field)})",
            *((f"!{limit}",) if bound.field == "digests" else ()),
            *((f"size({limit}) == 0",) if bound.listed or bound.field == "grants" else ()),
            _same(keys),
            _all("object.spec", keys, allowed),
        )
    )
    text = f"spec.{path}: {bound.problem}: {bound.remedy}"
    said = {"expression": expression, "message": text}
    if bound.listed:
        said["messageExpression"] = f"{json.dumps(f'{text} ')} + {limit}.join(', ')"
    elif bound.field.startswith("maximum."):
        said["messageExpression"] = f"{json.dumps(f'{text} ')} + string({limit})"
    return said


def _has(root: str, path: str) -> str:
    """Whether all of a path without lists is there."""
    keys = path.split(".")
    return " && ".join(f"has({'.'.join((root, *keys[: count + 1]))})" for count in range(len(keys)))


def _same(keys: Sequence[str]) -> str:
    """Whether it is asked for already, as far as the first list of the path as a whole."""
    stem = []
    for key in keys:
        stem.append(key.removesuffix("[]"))
        if key.endswith("[]"):
            break
    path = ".".join(stem)
    before, now = f"oldObject.spec.{path}", f"object.spec.{path}"
    there = f"{_has('oldObject.spec', path)} && {_has('object.spec', path)}"
    return f"(oldObject != null && {there} && {before} == {now})"


def _all(root: str, keys: Sequence[str], allowed: str, depth: int = 0) -> str:
    """Whether every value at the path is `allowed`, an expression over `v`."""
    plain: list[str] = []
    for index, key in enumerate(keys):
        plain.append(key.removesuffix("[]"))
        if not key.endswith("[]"):
            continue
        path, item, left = ".".join(plain), f"i{depth}", keys[index + 1 :]
        inner = _all(item, left, allowed, depth + 1) if left else _put("v", item, allowed)
        return f"(!({_has(root, path)}) || {root}.{path}.all({item}, {inner}))"
    path = ".".join(plain)
    return f"(!({_has(root, path)}) || ({_put('v', f'{root}.{path}', allowed)}))"


def _put(name: str, value: str, cel: str) -> str:
    return re.sub(rf"\b{name}\b", value, cel)
