"""How people reach the tenant: Ingresses, and what of others they rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vre_operator.api.v1alpha1 import IssuerKind
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "exposure"

# For ingress-nginx; others ignore them. Notebooks and data are uploaded whole and passed on as they come, login
# cookies and tokens do not fit the default buffers, and a kernel's WebSocket is silent while a person thinks.
NGINX_ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-buffer-size": "32k",
    "nginx.ingress.kubernetes.io/proxy-buffers-number": "8",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
}
Paths = list[tuple[str, str, ResourceId]]
"""Path, pathType and the Service behind it."""

_ALL = ("/", "Prefix")

ISSUER_ANNOTATION = {
    IssuerKind.ISSUER: "cert-manager.io/issuer",
    IssuerKind.CLUSTER_ISSUER: "cert-manager.io/cluster-issuer",
}


def render(env: Environment) -> Iterable[Resource]:
    """One Ingress for each hostname. They stay while the tenant is suspended: the names remain its own."""
    hosts: list[tuple[str, str, Paths, str]] = []
    if front := list(_front(env)):
        hosts.append(("vre", env.spec.hostname, front, "spec.hostname"))
    if env.spec.data_lake.enabled and env.spec.data_lake.hostname:
        origin = "spec.dataLake.hostname"
        hosts.append(("rucio", env.spec.data_lake.hostname, [(*_ALL, ids.rucio_service(env))], origin))
    if env.spec.data_lake.enabled:
        for index, one in enumerate(env.spec.data_lake.storage):
            origin = f"spec.dataLake.storage[{index}]"
            service = ids.storage_service(env, one.name)
            hosts.append((ids.storage(one.name), one.hostname, [(*_ALL, service)], origin))
    if not hosts:
        return

    needs = set()
    named = env.spec.exposure.ingress_class
    ingress_class = kube("networking.k8s.io/v1/IngressClass", "", named or env.site.ingress_class)
    yield workloads.external(
        COMPONENT, ingress_class, "spec.exposure.ingressClass" if named else "site.ingressClass"
    )
    needs.add(ingress_class)
    if secret := env.spec.exposure.tls.secret:
        certificate = kube("v1/Secret", env.namespace, secret.name)
        yield workloads.external(COMPONENT, certificate, "spec.exposure.tls.secret", "tls.crt", "tls.key")
        needs.add(certificate)

    for name, host, paths, origin in hosts:
        yield Resource(
            id=kube("networking.k8s.io/v1/Ingress", env.namespace, name),
            component=COMPONENT,
            body=_ingress(env, name, host, paths, ingress_class),
            needs=frozenset(needs | {service for _, _, service in paths}),
            origin=origin,
        )


def _front(env: Environment) -> Iterator[tuple[str, str, ResourceId]]:
    """Of the VRE's own hostname: the page at its very top and below /page/, the hub everywhere else."""
    notebooks, page = env.spec.notebooks.enabled, ids.page_wanted(env)
    if page and notebooks:
        yield "/", "Exact", ids.page_service(env)
        yield "/page", "Prefix", ids.page_service(env)
    if page or notebooks:
        yield (*_ALL, ids.proxy_service(env) if notebooks else ids.page_service(env))


def _ingress(
    env: Environment, name: str, host: str, paths: Paths, ingress_class: ResourceId
) -> dict[str, object]:
    tls = env.spec.exposure.tls
    annotations = dict(NGINX_ANNOTATIONS)
    # Without a secretName the controller's default certificate serves the host.
    entry: dict[str, object] = {"hosts": [host]}
    if tls.secret:
        entry["secretName"] = tls.secret.name
    elif tls.cert_manager:
        entry["secretName"] = f"{name}-tls"
        annotations[ISSUER_ANNOTATION[tls.cert_manager.kind]] = tls.cert_manager.issuer
    return {
        "metadata": {"annotations": annotations},
        "spec": {
            "ingressClassName": ingress_class.name,
            "tls": [entry],
            "rules": [{"host": host, "http": {"paths": [_path(*one) for one in paths]}}],
        },
    }


def _path(path: str, kind: str, service: ResourceId) -> dict[str, object]:
    backend = {"service": {"name": service.name, "port": {"number": 80}}}
    return {"path": path, "pathType": kind, "backend": backend}
