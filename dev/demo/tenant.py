"""A tenant of the demo or of a test: its namespace, its Secret, its VREEnvironment, and its way to Ready."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from dev.demo.kubectl import Body, Kubectl, KubectlError
from vre_operator.api import names
from vre_operator.api.conditions import Condition

KIND = f"{names.PLURAL}.{names.GROUP}"
Say = Callable[[str], None]


class NotReadyError(Exception):
    """A tenant did not get where it should in time; the text has its conditions."""


def create(kubectl: Kubectl, manifest: Mapping[str, Any], credential: Mapping[str, str]) -> None:
    """Apply the VREEnvironment with what it needs: a namespace and the registration credential."""
    namespace = manifest["metadata"]["namespace"]
    secret = manifest["spec"]["identity"]["credentialsSecret"]["name"]
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": namespace},
            "stringData": dict(credential),
        }
    )
    kubectl.apply(manifest)


def get(kubectl: Kubectl, namespace: str, name: str) -> Body | None:
    """Give the VREEnvironment as it is now."""
    return kubectl.get(KIND, name, namespace)


def conditions(found: Mapping[str, Any] | None) -> dict[str, Body]:
    """Give the conditions by type."""
    status = (found or {}).get("status", {})
    return {condition["type"]: condition for condition in status.get("conditions", [])}


def is_current(found: Mapping[str, Any] | None) -> bool:
    """Tell whether the status speaks of the spec as it is now."""
    if not found or "status" not in found:
        return False
    return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])


def wait(
    kubectl: Kubectl,
    namespace: str,
    name: str,
    reached: Callable[[Mapping[str, Body]], bool],
    *,
    seconds: float,
    steady: float = 0,
    say: Say = lambda text: None,
) -> Body:
    """Wait until the conditions are as `reached` wants them, for `steady` seconds, telling each change."""
    deadline = time.monotonic() + seconds
    since: float | None = None
    told: dict[str, str] = {}
    while True:
        found = get(kubectl, namespace, name)
        current = conditions(found)
        for kind, condition in current.items():
            if (text := line(condition)) != told.get(kind):
                told[kind] = text
                say(text)
        if found and is_current(found) and reached(current):
            since = since or time.monotonic()
            if time.monotonic() - since >= steady:
                return found
        else:
            since = None
        if time.monotonic() > deadline:
            state = "\n".join(f"  {text}" for text in told.values()) or "  no status at all"
            raise NotReadyError(f"{namespace}/{name} after {seconds:.0f} s:\n{state}")
        time.sleep(0.5)


def wait_ready(
    kubectl: Kubectl, namespace: str, name: str, *, seconds: float = 300, steady: float = 0, say: Say = print
) -> Body:
    """Wait until everything that the tenant asked for works."""
    return wait(kubectl, namespace, name, is_ready, seconds=seconds, steady=steady, say=say)


def is_ready(current: Mapping[str, Body]) -> bool:
    """Tell whether the condition Ready is True."""
    return current.get(Condition.READY, {}).get("status") == "True"


def line(condition: Mapping[str, Any]) -> str:
    """Give a condition as one line for people."""
    text = f"{condition['type']}={condition['status']} {condition['reason']}"
    return f"{text}: {condition['message']}" if condition.get("message") else text


def explain(kubectl: Kubectl, namespace: str, name: str) -> str:
    """Give what a person would look at when a tenant is not Ready. No Secret is in it."""
    looks = (
        ("events", "--namespace", namespace, "--for", f"{KIND}/{name}"),
        ("get", "pods", "--all-namespaces", "--output", "wide"),
        ("events", "--all-namespaces", "--types", "Warning"),
        ("logs", "--namespace", "vre-system", "deployment/vre-operator", "--tail", "40"),
    )
    try:
        state = [line(condition) for condition in conditions(get(kubectl, namespace, name)).values()]
    except KubectlError as error:
        state = [str(error)]
    parts = [f"Conditions of {namespace}/{name}:\n" + "\n".join(state or ["none"])]
    for look in looks:
        try:
            text = "\n".join(kubectl(*look).splitlines()[-40:])
        except KubectlError as error:
            text = str(error)
        parts.append(f"$ kubectl {' '.join(look)}\n{text}")
    return "\n\n".join(parts)
