"""Small clients for the development cluster's tests."""

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dev.cluster import Cluster


def kubectl(cluster: Cluster, *arguments: str, apply: list[dict[str, Any]] | None = None) -> str:
    """Run kubectl as administrator; ``apply`` goes to its standard input."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": apply}) if apply else None
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def tls(cluster: Cluster, host: str) -> Iterator[ssl.SSLSocket]:
    """Connect to the cluster's Ingress as ``host``, trusting the cluster's CA alone."""
    trust = ssl.create_default_context(cafile=str(cluster.ca_file))
    with (
        socket.create_connection((cluster.node_ip, 443), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as connection,
    ):
        yield connection


def get(cluster: Cluster, host: str, path: str = "/") -> tuple[int, str]:
    """Ask the cluster's Ingress over https; give status and body."""
    with tls(cluster, host) as connection:
        asking = http.client.HTTPSConnection(host)
        asking.sock = connection
        asking.request("GET", path)
        answer = asking.getresponse()
        return answer.status, answer.read().decode()


def pod(name: str, image: str, script: str, volume: str = "") -> dict[str, Any]:
    """A pod of uid 1000 that runs a shell script, with a claim at /data if one is named."""
    container: dict[str, Any] = {"name": "main", "image": image, "command": ["sh", "-c", script]}
    spec: dict[str, Any] = {
        "securityContext": {"runAsUser": 1000, "runAsGroup": 1000},
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    if volume:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": volume}}]
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def claim(name: str) -> dict[str, Any]:
    """A volume claim of the default class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec,
    }


def service(name: str, port: int, selector: dict[str, str] | None) -> dict[str, Any]:
    """A Service on port 80."""
    spec: dict[str, Any] = {"ports": [{"name": "http", "port": 80, "targetPort": port}]}
    if selector:
        spec["selector"] = selector
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def ingress(name: str, paths: dict[str, str]) -> dict[str, Any]:
    """An Ingress of host NAME.vre.localhost, from path prefixes to Services."""
    rules = [
        {
            "path": path,
            "pathType": "Prefix",
            "backend": {"service": {"name": target, "port": {"name": "http"}}},
        }
        for path, target in paths.items()
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": f"{name}.vre.localhost", "http": {"paths": rules}}],
        },
    }


def eventually(ask: Callable[[], object], wanted: object, seconds: float = 90) -> bool:
    """Ask until the answer is the wanted one."""
    deadline = time.monotonic() + seconds
    while (got := ask()) != wanted:
        assert time.monotonic() < deadline, f"{got} and not {wanted}"
        time.sleep(0.1)
    return True
