"""Rules of a cluster that refuse some of the operator's writes, as a site's admins make them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.faults.neighbours.person import Person, until
from tests.site import ACCOUNT, Site
from vre_operator.kube.kinds import kind_of

Json = dict[str, Any]
WORDS = "a rule of this site"
_API = "admissionregistration.k8s.io/v1"
_QUOTA = "v1/ResourceQuota"


class Target(NamedTuple):
    """What shall not be written: resource (with subresource), namespace, and how the name begins."""

    resource: str
    namespace: str
    name: str


_CANARY = Target("configmaps", "default", "canary")


async def refuse(site: Site, name: str, targets: Iterable[Target]) -> None:
    """A policy that denies the operator these writes; it acts when this returns."""
    listed = json.dumps([list(target) for target in (*targets, _CANARY)])
    written = f"request.resource.resource + ({_given('subResource')} == '' ? '' : '/' + request.subResource)"
    inside = f"(request.resource.resource == 'namespaces' ? '' : {_given('namespace')})"
    hits = f"{listed}.exists(t, t[0] == {written} && t[1] == {inside} && {_given('name')}.startsWith(t[2]))"
    every = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["CREATE", "UPDATE"]}
    policy = {
        "matchConstraints": {"resourceRules": [every]},
        "matchConditions": [{"name": "operator", "expression": f"request.userInfo.username == '{ACCOUNT}'"}],
        "validations": [{"expression": f"!{hits}", "message": WORDS}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
        made = {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": spec}
        site.kubectl("apply", "-f", "-", stdin=made)
    await until(lambda: _allowed(site), lambda allowed: not allowed)


def _given(field: str) -> str:
    return f"(has(request.{field}) ? request.{field} : '')"


async def lift(site: Site, name: str) -> None:
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        site.kubectl("delete", kind, name)
    await until(lambda: _allowed(site))


async def _allowed(site: Site) -> bool:
    canary: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "canary"}}
    command = ("-n", "default", "create", "-f", "-", "--dry-run=server", f"--as={ACCOUNT}", "-o", "name")
    return bool(await asyncio.to_thread(site.kubectl, *command, stdin=canary, check=False))


async def forbid(site: Site, person: Person, namespace: str, kind: str) -> None:
    """A quota that allows none of the kind. No controller counts here, so its status is written by hand."""
    group = kind.rpartition("/")[0].rpartition("/")[0]
    plural = kind_of(kind).plural
    hard = {f"count/{plural}{'.' + group if group else ''}": "0"}
    await person.create(_QUOTA, namespace, "none", spec={"hard": hard})
    status = json.dumps({"status": {"hard": hard, "used": hard}})
    command = ("-n", namespace, "patch", "resourcequota", "none", "--subresource=status", "--type=merge", "-p")
    await asyncio.to_thread(site.kubectl, *command, status)


async def allow(person: Person, namespace: str) -> None:
    await person.delete(_QUOTA, namespace, "none")
