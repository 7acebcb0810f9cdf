"""A development-only Ingress controller: Ingress objects in, nginx configuration and status out.

It sends to the Services' cluster addresses, so kube-proxy chooses the pods and only Ingresses, Services
and certificates need watching. Headless Services and ExternalNames are answered with 503.
"""

import base64
import queue
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from dev.cluster import layout as layouts
from dev.cluster import nginx
from dev.cluster.layout import Layout
from dev.cluster.nginx import Location, Site

CLASS = "nginx"
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_REDIRECT_ANNOTATION = "nginx.ingress.kubernetes.io/ssl-redirect"
_CERTIFICATES = Path("/run/ingress-certificates")
_SETTLE_SECONDS = 0.05

Services = dict[tuple[str, str], Any]


def main() -> None:
    """Serve the cluster named by the first argument until killed."""
    layout = layouts.load(sys.argv[1])
    if layout is None:
        raise SystemExit(f"no cluster {sys.argv[1]}")
    config.load_kube_config(str(layout.kubeconfig))  # type: ignore[no-untyped-call]
    _CERTIFICATES.mkdir(mode=0o700, exist_ok=True)
    controller = Controller(layout)
    changes: queue.SimpleQueue[None] = queue.SimpleQueue()
    for listing in (controller.ingresses, controller.services, controller.secrets):
        threading.Thread(target=_follow, args=(listing, changes), daemon=True).start()
    while True:
        changes.get()
        time.sleep(_SETTLE_SECONDS)
        while not changes.empty():
            changes.get()
        try:
            controller.sync()
        except Exception as error:
            print(f"not served: {error}", flush=True)
            threading.Timer(1, changes.put, [None]).start()


def _follow(listing: Callable[..., Any], changes: "queue.SimpleQueue[None]") -> None:
    """Report every change; a watch that ends, for whatever reason, starts again with a change."""
    while True:
        changes.put(None)
        try:
            for _ in watch.Watch().stream(listing, timeout_seconds=600):  # type: ignore[no-untyped-call]
                changes.put(None)
        except Exception as error:
            print(f"watch ended: {error}", flush=True)
            time.sleep(1)


class Controller:
    """Brings nginx and the status of Ingresses in line with the cluster."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._core = client.CoreV1Api()
        self._networking = client.NetworkingV1Api()

    def ingresses(self, **options: Any) -> Any:
        """List, or watch, every Ingress."""
        return self._networking.list_ingress_for_all_namespaces(**options)

    def services(self, **options: Any) -> Any:
        """List, or watch, every Service."""
        return self._core.list_service_for_all_namespaces(**options)

    def secrets(self, **options: Any) -> Any:
        """List, or watch, every certificate."""
        options["field_selector"] = "type=kubernetes.io/tls"
        return self._core.list_secret_for_all_namespaces(**options)

    def sync(self) -> None:
        """Write the configuration if it changed, and tell the Ingresses their address."""
        mine = [ingress for ingress in self.ingresses().items if _class_of(ingress) == CLASS]
        mine.sort(key=lambda ingress: (ingress.metadata.creation_timestamp, ingress.metadata.uid))
        services = {(item.metadata.namespace, item.metadata.name): item for item in self.services().items}
        self._serve(nginx.render(self._layout, self._sites(mine, services)))
        address = client.V1IngressLoadBalancerIngress(ip=str(self._layout.node_ip))
        for ingress in mine:
            known = ingress.status.load_balancer.ingress if ingress.status.load_balancer else None
            if [entry.ip for entry in known or []] != [address.ip]:
                self._networking.patch_namespaced_ingress_status(
                    ingress.metadata.name,
                    ingress.metadata.namespace,
                    {"status": {"loadBalancer": {"ingress": [{"ip": address.ip}]}}},
                )

    def _serve(self, text: str) -> None:
        path = nginx.config_file(self._layout)
        before = path.read_text()
        if text == before and not self._certificates_changed:
            return
        path.write_text(text)
        check = subprocess.run(nginx.command(self._layout, "-t"), capture_output=True, text=True, check=False)
        if check.returncode != 0:
            path.write_text(before)
            raise RuntimeError(check.stderr)
        subprocess.run(nginx.command(self._layout, "-s", "reload"), check=True)
        self._certificates_changed = False

    _certificates_changed = False

    def _sites(self, ingresses: list[Any], services: Services) -> list[Site]:
        """Merge the rules by host; for the same host and path the oldest Ingress wins."""
        locations: dict[str, dict[tuple[str, bool], Location]] = {}
        certificates: dict[str, Path] = {}
        plain: set[str] = set()
        for ingress in ingresses:
            namespace = ingress.metadata.namespace
            for tls in ingress.spec.tls or []:
                for host in tls.hosts or []:
                    if found := self._certificate(namespace, tls.secret_name):
                        certificates.setdefault(host, found)
            for rule in ingress.spec.rules or []:
                host = rule.host or ""
                if (ingress.metadata.annotations or {}).get(_REDIRECT_ANNOTATION) == "false":
                    plain.add(host)
                for path in rule.http.paths if rule.http else []:
                    location = Location(
                        path.path or "/", path.path_type == "Exact", _backend(namespace, path, services)
                    )
                    same_host = locations.setdefault(host, {})
                    same_host.setdefault((location.path.rstrip("/"), location.exact), location)
        default = nginx.default_certificate(self._layout)
        return [
            Site(host, tuple(found.values()), certificates.get(host, default), host in plain)
            for host, found in sorted(locations.items())
        ]

    def _certificate(self, namespace: str, name: str | None) -> Path | None:
        """Store a certificate for nginx, unless it is missing or wrong: one must not stop all."""
        if not name:
            return None
        try:
            data = self._core.read_namespaced_secret(name, namespace).data or {}
            stem = _CERTIFICATES / f"{namespace}.{name}"
            content = {
                Path(f"{stem}{suffix}"): base64.b64decode(data[key])
                for suffix, key in ((".crt", "tls.crt"), (".key", "tls.key"))
            }
            if any(not path.exists() or path.read_bytes() != text for path, text in content.items()):
                self._certificates_changed = True
                for path, text in content.items():
                    path.write_bytes(text)
            crt, key = content
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(crt, key)
        except (client.ApiException, KeyError, ValueError, ssl.SSLError) as error:
            print(f"secret {namespace}/{name} is no certificate: {error}", flush=True)
            return None
        return stem


def _class_of(ingress: Any) -> str | None:
    annotations: dict[str, str] = ingress.metadata.annotations or {}
    return ingress.spec.ingress_class_name or annotations.get(_CLASS_ANNOTATION)


def _backend(namespace: str, path: Any, services: Services) -> str:
    wanted = path.backend.service
    service = services.get((namespace, wanted.name)) if wanted else None
    if service is None or service.spec.cluster_ip in (None, "", "None"):
        return ""
    for port in service.spec.ports or []:
        if wanted.port.number == port.port or (wanted.port.name and wanted.port.name == port.name):
            return f"{service.spec.cluster_ip}:{port.port}"
    return ""


if __name__ == "__main__":
    main()
