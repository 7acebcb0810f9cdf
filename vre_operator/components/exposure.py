"""How people reach the tenant: Ingresses, or routes of a Gateway, and what of others they rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vre_operator.api.exposure import Gateway, IssuerKind
from vre_operator.api.references import SecretName
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "exposure"
INGRESS = "networking.k8s.io/v1/Ingress"
GATEWAY = "gateway.networking.k8s.io/v1/Gateway"
ROUTE = "gateway.networking.k8s.io/v1/HTTPRoute"

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
# For Gateways whose requests end by themselves otherwise (Envoy's after 15 s). Nothing else of the above can be
# said in a route: docs/network.md.
TIMEOUTS = {"request": "0s"}
Paths = list[tuple[str, str, ResourceId]]
"""Path, pathType and the Service behind it."""

_ALL = ("/", "Prefix")
_TLS_KEYS = ("tls.crt", "tls.key")
_COPY = "vre-tls"


@dataclass(frozen=True, slots=True)
class Host:
    """A hostname. What exposes it and the Services behind it are of one namespace."""

    name: str
    hostname: str
    paths: Paths
    origin: str
    namespace: str


ISSUER_ANNOTATION = {
    IssuerKind.ISSUER: "cert-manager.io/issuer",
    IssuerKind.CLUSTER_ISSUER: "cert-manager.io/cluster-issuer",
}


def render(env: Environment) -> Iterable[Resource]:
    """One Ingress, or route, for each hostname. They stay while the tenant is suspended: the names remain its
    own."""
    hosts: list[Host] = []
    if front := list(_front(env)):
        hosts.append(Host("vre", env.spec.hostname, front, "spec.hostname", env.namespace))
    if env.spec.data_lake.enabled and env.spec.data_lake.hostname:
        origin = "spec.dataLake.hostname"
        paths = [(*_ALL, ids.rucio_service(env))]
        hosts.append(Host("rucio", env.spec.data_lake.hostname, paths, origin, env.namespace))
    if env.spec.data_lake.enabled:
        for index, one in enumerate(env.spec.data_lake.storage):
            origin = f"spec.dataLake.storage[{index}]"
            service = ids.storage_service(env, one.name)
            name, paths = ids.storage(one.name), [(*_ALL, service)]
            hosts.append(Host(name, one.hostname, paths, origin, env.namespace))
    if env.spec.workflows.enabled and env.spec.workflows.hostname:
        service = ids.reana_service(env)
        paths = [("/api", "Prefix", service), ("/oauth", "Prefix", service)]
        if pages := ids.reana_pages(env):
            paths.append((*_ALL, pages))
        origin = "spec.workflows.hostname"
        hosts.append(Host(ids.REANA, env.spec.workflows.hostname, paths, origin, env.workflows))
    if not hosts:
        return
    if gateway := env.spec.exposure.gateway:
        yield from _routes(hosts, gateway)
    else:
        yield from _ingresses(env, hosts)


def _routes(hosts: list[Host], named: Gateway) -> Iterator[Resource]:
    gateway = kube(GATEWAY, named.namespace, named.name)
    yield workloads.external(COMPONENT, gateway, "spec.exposure.gateway")
    for host in hosts:
        yield Resource(
            id=kube(ROUTE, host.namespace, host.name),
            component=COMPONENT,
            body=_route(host, named),
            needs=frozenset({gateway} | {service for _, _, service in host.paths}),
            origin=host.origin,
            replaces=kube(INGRESS, host.namespace, host.name),
        )


def _ingresses(env: Environment, hosts: list[Host]) -> Iterator[Resource]:
    ingress_class = ids.ingress_class(env)
    named = env.spec.exposure.ingress_class is not None
    yield workloads.external(
        COMPONENT, ingress_class, "spec.exposure.ingressClass" if named else "site.ingressClass"
    )
    certificates: dict[str, ResourceId] = {}
    if secret := env.spec.exposure.tls.secret:
        for certificate in _certificates(env, secret, {host.namespace for host in hosts}):
            certificates[certificate.id.namespace] = certificate.id
            yield certificate

    for host in hosts:
        needs = {ingress_class} | {service for _, _, service in host.paths}
        if certificate_id := certificates.get(host.namespace):
            needs.add(certificate_id)
        yield Resource(
            id=kube(INGRESS, host.namespace, host.name),
            component=COMPONENT,
            body=_ingress(env, host, ingress_class),
            needs=frozenset(needs),
            origin=host.origin,
            replaces=kube(ROUTE, host.namespace, host.name),
        )


def _certificates(env: Environment, secret: SecretName, namespaces: set[str]) -> Iterator[Resource]:
    """The tenant's Secret, and its copy where another namespace has a hostname."""
    given = kube("v1/Secret", env.namespace, secret.name)
    yield workloads.external(COMPONENT, given, "spec.exposure.tls.secret", *_TLS_KEYS)
    for namespace in sorted(namespaces - {env.namespace}):
        yield Resource(
            id=kube("v1/Secret", namespace, _COPY),
            component=COMPONENT,
            body={"type": "kubernetes.io/tls", "stringData": {key: Ref(given, key) for key in _TLS_KEYS}},
            needs=frozenset({kube("v1/Namespace", "", namespace)}),
            origin="spec.exposure.tls.secret",
        )


def _front(env: Environment) -> Iterator[tuple[str, str, ResourceId]]:
    """Of the VRE's own hostname: the page at its very top and below /page/, the hub everywhere else."""
    notebooks, page = env.spec.notebooks.enabled, ids.page_wanted(env)
    if page and notebooks:
        yield "/", "Exact", ids.page_service(env)
        yield "/page", "Prefix", ids.page_service(env)
    if page or notebooks:
        yield (*_ALL, ids.proxy_service(env) if notebooks else ids.page_service(env))


def _ingress(env: Environment, host: Host, ingress_class: ResourceId) -> dict[str, object]:
    tls = env.spec.exposure.tls
    annotations = dict(NGINX_ANNOTATIONS)
    # Without a secretName the controller's default certificate serves the host.
    entry: dict[str, object] = {"hosts": [host.hostname]}
    if tls.secret:
        entry["secretName"] = tls.secret.name if host.namespace == env.namespace else _COPY
    elif tls.cert_manager:
        entry["secretName"] = f"{host.name}-tls"
        annotations[ISSUER_ANNOTATION[tls.cert_manager.kind]] = tls.cert_manager.issuer
    return {
        "metadata": {"annotations": annotations},
        "spec": {
            "ingressClassName": ingress_class.name,
            "tls": [entry],
            "rules": [{"host": host.hostname, "http": {"paths": [_path(*one) for one in host.paths]}}],
        },
    }


def _path(path: str, kind: str, service: ResourceId) -> dict[str, object]:
    backend = {"service": {"name": service.name, "port": {"number": 80}}}
    return {"path": path, "pathType": kind, "backend": backend}


def _route(host: Host, gateway: Gateway) -> dict[str, object]:
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": gateway.namespace,
        "name": gateway.name,
    }
    if gateway.section_name:
        parent["sectionName"] = gateway.section_name
    return {
        "spec": {
            "parentRefs": [parent],
            "hostnames": [host.hostname],
            "rules": [_rule(*one) for one in host.paths],
        }
    }


def _rule(path: str, kind: str, service: ResourceId) -> dict[str, object]:
    match = {"type": "PathPrefix" if kind == "Prefix" else kind, "value": path}
    # All of it is said, or what somebody adds would be no difference: a filter can send people elsewhere.
    backend = {"group": "", "kind": "Service", "name": service.name, "port": 80, "weight": 1, "filters": []}
    return {"matches": [{"path": match}], "filters": [], "backendRefs": [backend], "timeouts": TIMEOUTS}
