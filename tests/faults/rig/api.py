"""The API server as the rig asks it: another client and another user than the operator's."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.faults.rig.background import Background

Json = dict[str, Any]

_RESOURCES = {
    "VREEnvironment": ("/apis/vre.science/v1alpha1", "vreenvironments"),
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "PersistentVolume": ("/api/v1", "persistentvolumes"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "LimitRange": ("/api/v1", "limitranges"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
KINDS = tuple(_RESOURCES)
CLUSTER_WIDE = ("Namespace", "PersistentVolume")


def collection(kind: str, namespace: str = "") -> str:
    """The path of a kind's list, in one namespace or in all."""
    group, plural = _RESOURCES[kind]
    inside = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_WIDE else ""
    return f"{group}{inside}/{plural}"


def named(path: str) -> tuple[str, str, str] | None:
    """(kind, namespace, name) of the object that a path leads to, None for any other path."""
    above, _, name = path.rpartition("/")
    namespace = above.partition("/namespaces/")[2].partition("/")[0] if "/namespaces/" in above else ""
    for kind in KINDS:
        if above == collection(kind, namespace):
            return (kind, namespace, name)
    return None


class Refused(Exception):
    """The API server said no; `code` is its status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Api:
    """Synchronous, for the test's thread; `session` is for the background's."""

    def __init__(self, background: Background, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        self.ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._background = background
        self._tls = ssl.create_default_context(cadata=self.ca)
        with tempfile.NamedTemporaryFile() as file:
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[part]) + b"\n")
            file.flush()
            self._tls.load_cert_chain(file.name)
        self.session = background.run(self._open())

    async def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        return aiohttp.ClientSession(
            self.server, connector=connector, timeout=aiohttp.ClientTimeout(total=None)
        )

    def close(self) -> None:
        self._background.run(self.session.close())

    def ask(
        self, method: str, path: str, body: Any = None, content: str = "application/json", **query: str
    ) -> Json:
        """Raises Refused."""
        return self._background.run(self._ask(method, path, body, content, query))

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        try:
            return self.ask("GET", f"{collection(kind, namespace)}/{name}")
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def create(self, kind: str, namespace: str, name: str, **fields: Any) -> Json:
        metadata = {"name": name, **fields.pop("metadata", {})}
        group = _RESOURCES[kind][0].partition("/api")[2].removeprefix("s/").lstrip("/")
        obj = {"apiVersion": group, "kind": kind, "metadata": metadata, **fields}
        return self.ask("POST", collection(kind, namespace), obj)

    def patch(self, kind: str, namespace: str, name: str, change: Mapping[str, Any], part: str = "") -> Json:
        """A merge patch."""
        path = f"{collection(kind, namespace)}/{name}{part}"
        return self.ask("PATCH", path, change, "application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        try:
            self.ask("DELETE", f"{collection(kind, namespace)}/{name}")
        except Refused as refused:
            if refused.code != 404:
                raise

    async def _ask(self, method: str, path: str, body: Any, content: str, query: Mapping[str, str]) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content} if data is not None else {}
        async with self.session.request(method, path, params=query, data=data, headers=headers) as answer:
            said: Json = json.loads(await answer.read())
            if answer.status >= 400:
                raise Refused(answer.status, said.get("message", ""))
            return said
