"""One resource of each kind, as a component would ask for it, and what a person does to them."""

from __future__ import annotations

from typing import Any

from tests.cluster.world import World, resource
from vre_operator.api import names
from vre_operator.engine.resources import Generator, Policy, Resource


def config(world: World, **data: str) -> Resource:
    return resource(world.tenant, "v1/ConfigMap", "config", body={"data": data})


def secret(world: World, **more: Any) -> Resource:
    return resource(
        world.tenant,
        "v1/Secret",
        "login",
        body={"stringData": {"user": "hub"}},
        generate={"password": Generator.HEX64},
        policy=Policy.RETAIN,
        **more,
    )


def deployment(world: World, name: str = "web", replicas: int = 1) -> Resource:
    labels = {"app": name, names.TENANT_LABEL: world.tenant.namespace}
    container = {
        "name": "main",
        "image": "localhost/none",
        "env": [{"name": "A", "value": "b"}],
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    return resource(
        world.tenant,
        "apps/v1/Deployment",
        name,
        body={
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container], "securityContext": {"runAsNonRoot": True}},
                },
            }
        },
    )


def everything(world: World) -> list[Resource]:
    """One of each kind, with values that the API server rewrites."""
    rbac = "rbac.authorization.k8s.io"

    def one(kind: str, **body: Any) -> Resource:
        return resource(world.tenant, kind, "one", body=body)

    return [
        config(world, a="b"),
        secret(world),
        deployment(world),
        one("v1/ServiceAccount", automountServiceAccountToken=False),
        one("v1/Service", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]}),
        one(
            "v1/PersistentVolumeClaim",
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
        ),
        one("v1/ResourceQuota", spec={"hard": {"pods": "10", "limits.memory": "2048Mi"}}),
        one("v1/LimitRange", spec={"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}),
        one(
            "networking.k8s.io/v1/NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        ),
        one(
            "networking.k8s.io/v1/Ingress",
            spec={
                "rules": [
                    {
                        "host": "a.example.org",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "one", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            },
        ),
        one(f"{rbac}/v1/Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        one(
            f"{rbac}/v1/RoleBinding",
            roleRef={"apiGroup": rbac, "kind": "Role", "name": "one"},
            subjects=[{"kind": "ServiceAccount", "name": "one", "namespace": world.tenant.namespace}],
        ),
        one(
            "apps/v1/StatefulSet",
            spec={
                "serviceName": "one",
                "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "c", "image": "localhost/none"}]},
                },
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "data"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        },
                    }
                ],
            },
        ),
        one(
            "batch/v1/Job",
            spec={
                "suspend": True,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "localhost/none"}]}
                },
            },
        ),
        resource(
            world.tenant,
            "v1/Namespace",
            world.tenant.notebooks_namespace,
            namespace="",
            body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        ),
        own_namespace(world),
    ]


def own_namespace(world: World, **labels: str) -> Resource:
    stated = {"pod-security.kubernetes.io/warn": "restricted", **labels}
    return resource(
        world.tenant,
        "v1/Namespace",
        world.tenant.namespace,
        namespace="",
        body={"metadata": {"labels": stated}},
        policy=Policy.RELEASE,
    )


async def patch(world: World, wanted: Resource, path: str, value: Any) -> None:
    operation = {"op": "add", "path": path, "value": value}
    await world.person.patch_json(wanted.id.kind, wanted.id.namespace, wanted.id.name, [operation])
