"""Builders for what runs: pods fit for a hostile neighbourhood, and the objects around them.

Everything that must hold for every pod is decided here once: resources, Pod Security, no service links, no
service account token, pull settings, labels, suspension. A component says what is special about its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vre_operator.api import names
from vre_operator.components import ids
from vre_operator.components.context import Environment, kube
from vre_operator.engine.refs import ContentDigest, Ref, digest
from vre_operator.engine.resources import Policy, Resource, ResourceId

Body = dict[str, Any]

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"


def selector(env: Environment, name: str) -> dict[str, str]:
    """The labels by which Services, policies and controllers find the pods of workload `name`.

    They never change: controllers' selectors are immutable, and the hub ends the sessions that it cannot reach.
    """
    return {NAME_LABEL: name, INSTANCE_LABEL: env.namespace}


# --- pods ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class User:
    """Whom a pod's processes run as; 0 only where the namespace's level and the image leave no choice."""

    uid: int
    gid: int

    def context(self) -> Body:
        """The pod's security context. The group also owns the volumes: Secrets are readable for it alone."""
        return {
            "runAsNonRoot": self.uid != 0,
            "runAsUser": self.uid,
            "runAsGroup": self.gid,
            "fsGroup": self.gid,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }


def container(
    env: Environment,
    name: str,
    image: str | Ref,
    *,
    cpu: tuple[str, str],
    memory: tuple[str, str],
    command: Sequence[str] = (),
    args: Sequence[Any] = (),
    environment: Mapping[str, Any] | None = None,
    ports: Mapping[str, int] | None = None,
    mounts: Sequence[Body] = (),
    read_only: bool = True,
    capabilities: Sequence[str] = (),
    **more: Any,
) -> Body:
    """A container. `cpu` and `memory` are (request, limit).

    environment: a mapping as value is a `valueFrom` (see `secret_key`); anything else a plain value.
    read_only: the root file system; give the image its writable places with `scratch`.
    capabilities: those that an image started as root cannot do without, of the `baseline` list.
    more: further fields as Kubernetes has them (readinessProbe, lifecycle).
    """
    dropped: Body = {"drop": ["ALL"]} | ({"add": list(capabilities)} if capabilities else {})
    body: Body = {
        "name": name,
        "image": image,
        "imagePullPolicy": env.site.image_pull_policy,
        "resources": {
            "requests": {"cpu": cpu[0], "memory": memory[0]},
            "limits": {"cpu": cpu[1], "memory": memory[1]},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": read_only,
            "capabilities": dropped,
        },
        # The end of the log reaches the pod's status, where the operator finds the cause of a crash.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if command:
        body["command"] = list(command)
    if args:
        body["args"] = list(args)
    if environment:
        body["env"] = [
            {"name": key, "valueFrom" if isinstance(value, Mapping) else "value": value}
            for key, value in environment.items()
        ]
    if ports:
        body["ports"] = [{"name": key, "containerPort": port} for key, port in ports.items()]
    if mounts:
        body["volumeMounts"] = list(mounts)
    return body | more


def pod(
    env: Environment,
    component: str,
    name: str,
    containers: Sequence[Body],
    *,
    user: User,
    init: Sequence[Body] = (),
    volumes: Sequence[Body] = (),
    service_account: str = "",
    config: Iterable[ResourceId] = (),
    grace_seconds: int = 30,
) -> Body:
    """A pod template of workload `name`.

    init: containers that end before the others start.
    service_account: only for pods that speak to the API server; they alone get a token.
    config: what the pod reads only at start; a change of its content rolls the pod.
    """
    spec: Body = {
        "automountServiceAccountToken": bool(service_account),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": user.context(),
        "containers": list(containers),
    }
    if init:
        spec["initContainers"] = list(init)
    if service_account:
        spec["serviceAccountName"] = service_account
    if volumes:
        spec["volumes"] = list(volumes)
    if env.site.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in env.site.image_pull_secrets]
    metadata: Body = {
        "labels": {
            **selector(env, name),
            names.COMPONENT_LABEL: component,
            names.TENANT_LABEL: env.namespace,
        }
    }
    if digests := {_digest_key(source): ContentDigest(source) for source in config}:
        metadata["annotations"] = digests
    return {"metadata": metadata, "spec": spec}


def _digest_key(source: ResourceId) -> str:
    return f"{names.CONFIG_DIGEST_ANNOTATION}-{source.kind.rsplit('/', 1)[-1].lower()}-{source.name}"


# --- volumes and values -------------------------------------------------------------------------------------


def secret_key(secret: ResourceId, key: str) -> Body:
    """An environment variable's value from a Secret, for programs that read no file."""
    return {"secretKeyRef": {"name": secret.name, "key": key}}


def secret_volume(name: str, secret: ResourceId, *keys: str) -> Body:
    """A Secret as files; all keys when none is given. Mount the directory: a subPath never updates."""
    source: Body = {"secretName": secret.name, "defaultMode": 0o440}
    if keys:
        source["items"] = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": source}


def config_volume(name: str, config_map: ResourceId) -> Body:
    """A ConfigMap as files."""
    return {"name": name, "configMap": {"name": config_map.name}}


def claim_volume(name: str, claim: ResourceId) -> Body:
    """A PersistentVolumeClaim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim.name}}


def scratch(name: str, size: str, *, memory: bool = False) -> Body:
    """An empty directory that lives as long as the pod."""
    return {"name": name, "emptyDir": {"sizeLimit": size} | ({"medium": "Memory"} if memory else {})}


def mount(volume: str, path: str, *, writable: bool = False) -> Body:
    """Where a container sees a volume."""
    body: Body = {"name": volume, "mountPath": path}
    if not writable:
        body["readOnly"] = True
    return body


CA_DIRECTORY = "/etc/vre/ca"
CA_FILE = f"{CA_DIRECTORY}/ca.crt"


def ca_volumes(env: Environment) -> list[Body]:
    """The volume with the site's extra CAs: none where the site has none."""
    return [config_volume("ca-bundle", ids.ca_bundle(env, env.namespace))] if env.site.ca_bundle else []


def ca_mounts(env: Environment) -> list[Body]:
    """Where a container that makes outgoing TLS connections finds them: CA_FILE."""
    return [mount("ca-bundle", CA_DIRECTORY)] if env.site.ca_bundle else []


def ca_needs(env: Environment, namespace: str = "") -> frozenset[ResourceId]:
    """What a pod with `ca_volumes` needs."""
    return frozenset({ids.ca_bundle(env, namespace or env.namespace)} if env.site.ca_bundle else ())


# --- controllers and Services -------------------------------------------------------------------------------


def deployment(
    env: Environment,
    component: str,
    name: str,
    template: Body,
    *,
    replicas: int = 1,
    rolling: bool = False,
    needs: Iterable[ResourceId] = (),
    origin: str = "",
    namespace: str = "",
) -> Resource:
    """A Deployment in a namespace (the tenant's own when empty); its pods come after that is closed.

    rolling: only for programs of which two may run at once.
    """
    namespace = namespace or env.namespace
    return Resource(
        id=kube("apps/v1/Deployment", namespace, name),
        component=component,
        body={
            "spec": {
                "replicas": running(env, replicas),
                "revisionHistoryLimit": 3,
                "strategy": {"type": "RollingUpdate" if rolling else "Recreate"},
                "selector": {"matchLabels": selector(env, name)},
                "template": template,
            }
        },
        needs=frozenset(needs) | {ids.default_deny(env, namespace)},
        origin=origin,
    )


def stateful_set(
    env: Environment,
    component: str,
    name: str,
    template: Body,
    *,
    needs: Iterable[ResourceId] = (),
    origin: str = "",
    namespace: str = "",
) -> Resource:
    """A StatefulSet of one pod: never two at once, not even when a node is lost."""
    namespace = namespace or env.namespace
    return Resource(
        id=kube("apps/v1/StatefulSet", namespace, name),
        component=component,
        body={
            "spec": {
                "replicas": running(env, 1),
                "serviceName": name,
                "revisionHistoryLimit": 3,
                # OrderedReady would wait for ever for a broken pod that a new template repairs.
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": selector(env, name)},
                "template": template,
            }
        },
        needs=frozenset(needs) | {ids.default_deny(env, namespace)},
        origin=origin,
    )


def job(
    env: Environment,
    component: str,
    identity: ResourceId,
    template: Body,
    *,
    needs: Iterable[ResourceId] = (),
    origin: str = "",
) -> Resource:
    """A Job that may run any number of times, and keeps trying: what it waits for may need a person.

    It is kept when complete (that is what others wait for), made again when its template changes, and stands
    still while the tenant is suspended.
    """
    template = {**template, "spec": {**template["spec"], "restartPolicy": "OnFailure"}}
    return Resource(
        id=identity,
        component=component,
        body={
            "spec": {
                "suspend": env.spec.suspend,
                "backoffLimit": 1000,
                "template": template,
            }
        },
        needs=frozenset(needs) | {ids.default_deny(env, identity.namespace)},
        origin=origin,
        recreate=True,
    )


def cron_job(
    env: Environment,
    component: str,
    name: str,
    schedule: str,
    template: Body,
    *,
    needs: Iterable[ResourceId] = (),
    origin: str = "",
    namespace: str = "",
) -> Resource:
    """A Job again and again, `schedule` in UTC; one that fails is tried once more, and then next time.

    What its last pods said is kept: a failure is told from there. None comes while the tenant is suspended.
    """
    template = {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}
    namespace = namespace or env.namespace
    return Resource(
        id=kube("batch/v1/CronJob", namespace, name),
        component=component,
        body={
            "spec": {
                "schedule": schedule,
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "suspend": env.spec.suspend,
                # Missed while the cluster was down: an hour later it would be in the way of the next one.
                "startingDeadlineSeconds": 600,
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {"spec": {"backoffLimit": 1, "template": template}},
            }
        },
        needs=frozenset(needs) | {ids.default_deny(env, namespace)},
        origin=origin,
    )


def minute(env: Environment) -> int:
    """Of the hour; not the same for all tenants of a site."""
    return int(digest(env.namespace)[:8], 16) % 60


def service(
    env: Environment,
    component: str,
    name: str,
    ports: Mapping[str, tuple[int, int]],
    *,
    workload: str = "",
    namespace: str = "",
) -> Resource:
    """A Service before the pods of `workload` (its own name when absent). ports: name -> (port, pod's port)."""
    namespace = namespace or env.namespace
    return Resource(
        id=kube("v1/Service", namespace, name),
        component=component,
        needs=frozenset({kube("v1/Namespace", "", namespace)} if namespace != env.namespace else ()),
        body={
            "spec": {
                "type": "ClusterIP",
                "selector": selector(env, workload or name),
                "ports": [
                    {"name": key, "port": port, "targetPort": target, "protocol": "TCP"}
                    for key, (port, target) in ports.items()
                ],
            }
        },
    )


def running(env: Environment, replicas: int) -> int:
    """How many replicas now: none while the tenant is suspended."""
    return 0 if env.spec.suspend else replicas


def external(component: str, identity: ResourceId, origin: str, *keys: str) -> Resource:
    """What the spec names and somebody else makes: read, checked for its keys, never touched."""
    return Resource(id=identity, component=component, policy=Policy.EXTERNAL, required_keys=keys, origin=origin)
