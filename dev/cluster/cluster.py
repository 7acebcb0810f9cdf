"""One interface to a development cluster, whatever it is made of."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dev.cluster import kind, layout, own
from dev.cluster.health import api_ready
from dev.cluster.layout import Layout


class Cluster:
    """A named development cluster; several can be up side by side."""

    def __init__(self, name: str = "") -> None:
        self.name = name or os.environ.get("VRE_DEV_NAME") or "dev"
        layout.state_dir(self.name)

    @staticmethod
    def prepare() -> None:
        """Do what takes long and needs no cluster: install packages, build the programs."""
        if not kind.usable():
            own.prepare()

    def up(
        self,
        *,
        node: bool = True,
        https_port: int | None = None,
        http_port: int | None = None,
        bare: bool = False,
    ) -> None:
        """Start the cluster and wait until it is ready; on a running one it does nothing.

        With ``node`` false there are an API server, controllers and a simulated node only; ``bare`` leaves
        out the simulated node and all controllers but those that end objects. The ports are ports of
        127.0.0.1 that shall lead to the cluster's Ingress.
        """
        if node and kind.usable():
            kind.up(self.name, https_port=https_port, http_port=http_port)
        else:
            own.up(self.name, node=node, https_port=https_port, http_port=http_port, bare=bare)

    def down(self, *, forget_images: bool = False) -> None:
        """Remove the cluster; its images stay on this machine unless ``forget_images``."""
        if kind.exists(self.name):
            kind.down(self.name)
        own.down(self.name, forget_images=forget_images)

    def load(self, archives: Iterable[Path | str]) -> list[str]:
        """Load image archives into the node; give the names of those that it did not have."""
        paths = [Path(archive) for archive in archives]
        if kind.exists(self.name):
            return kind.load(self.name, paths)
        return own.load(self._layout, paths)

    @property
    def running(self) -> bool:
        """Whether the cluster's processes live."""
        return kind.exists(self.name) or own.running(self.name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._layout.kubeconfig

    @property
    def node_ip(self) -> str:
        """The node's address, where Ingress listens on 80 and 443."""
        return kind.node_ip(self.name) if kind.exists(self.name) else str(self._layout.node_ip)

    @property
    def host_ip(self) -> str:
        """The address under which pods reach this machine."""
        return str(self._layout.host_ip)

    @property
    def ca_file(self) -> Path:
        """The authority behind the API server's and the default Ingress certificate."""
        return self._layout.ca_file

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON event per line, level Metadata."""
        return self._layout.audit_log

    @property
    def logs(self) -> Path:
        """The directory with one log for each process of the cluster."""
        return self._layout.logs

    @property
    def bin(self) -> Path:
        """The directory of the built programs."""
        return self._layout.program

    @property
    def kubectl(self) -> Path:
        """The kubectl program of the cluster's version."""
        return self.bin / "kubectl"

    @property
    def helm(self) -> Path:
        """The helm program."""
        return self.bin / "helm"

    def status(self) -> dict[str, Any]:
        """Describe the cluster; all values can be written as JSON."""
        found = layout.load(self.name)
        if found is None or not self.running:
            return {"name": self.name, "running": False, "ready": False}
        paths = {
            "kubeconfig": self.kubeconfig,
            "ca_file": self.ca_file,
            "audit_log": self.audit_log,
            "logs": self.logs,
            "bin": self.bin,
        }
        return {
            "name": self.name,
            "running": True,
            "ready": kind.exists(self.name) or api_ready(found),
            "node": found.node,
            "node_ip": self.node_ip,
            "host_ip": self.host_ip,
            "pod_range": str(found.pod_range),
            "service_range": str(found.service_range),
            "api": found.api_url,
            "https_port": found.https_port,
            "http_port": found.http_port,
        } | {key: str(path) for key, path in paths.items()}

    @property
    def _layout(self) -> Layout:
        found = layout.load(self.name)
        if found is None:
            raise RuntimeError(f"cluster {self.name} is not up: run `python -m dev up --name {self.name}`")
        return found
