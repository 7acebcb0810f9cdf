"""One cluster's names, addresses and files: everything else is derived from these few values."""

import json
import re
import sys
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from dev.cluster.paths import cache_dir, clusters_dir

BENCH_RANGE = IPv4Network("198.18.0.0/15")
"""Set aside for test benches (RFC 2544): no real network is hidden by it."""
CLUSTER_RANGES = tuple(BENCH_RANGE.subnets(new_prefix=19))
DOMAIN = "vre.localhost"

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,9}[a-z0-9])?")


@dataclass(frozen=True)
class Layout:
    """The fixed values of one running cluster, stored in its state directory."""

    name: str
    node: bool
    bin: str
    index: int = 0
    """Which sixteenth of ``BENCH_RANGE`` is the cluster's."""
    api_port: int = 6443
    https_port: int | None = None
    """Port of 127.0.0.1 that leads to the cluster's Ingress, for a browser on this machine."""
    http_port: int | None = None
    bare: bool = False
    """Without a node: nothing runs pods, real or on paper; whoever needs readiness writes it."""

    @property
    def state(self) -> Path:
        """Everything of this cluster but its images; gone after ``down``."""
        return state_dir(self.name)

    @property
    def containerd_root(self) -> Path:
        """Containerd's own directory: images in it outlive the cluster."""
        return cache_dir() / "containerd" / self.name

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def ca_file(self) -> Path:
        return self.pki / "ca.crt"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def program(self) -> Path:
        """Directory of the built programs."""
        return Path(self.bin)

    @property
    def interface(self) -> str:
        """The host's end of the cable to the node."""
        return f"vre-{self.name}"

    @property
    def cgroup(self) -> str:
        return f"vre-{self.name}"

    @property
    def pod_range(self) -> IPv4Network:
        return next(CLUSTER_RANGES[self.index].subnets(new_prefix=20))

    @property
    def service_range(self) -> IPv4Network:
        if self.bare:
            # Nothing is ever sent there, and a thousand tenants have five thousand Services.
            return BENCH_RANGE
        return list(CLUSTER_RANGES[self.index].subnets(new_prefix=21))[2]

    @property
    def link_range(self) -> IPv4Network:
        return list(CLUSTER_RANGES[self.index].subnets(new_prefix=30))[-1]

    @property
    def host_ip(self) -> IPv4Address:
        return self.link_range[1]

    @property
    def node_ip(self) -> IPv4Address:
        return self.link_range[2] if self.node else IPv4Address("127.0.0.1")

    @property
    def dns_ip(self) -> IPv4Address:
        return self.service_range[10]

    @property
    def api_url(self) -> str:
        return f"https://{self.node_ip}:{self.api_port}"

    def save(self) -> None:
        """Store the values for later commands."""
        (self.state / "layout.json").write_text(json.dumps(asdict(self)))


def state_dir(name: str) -> Path:
    """Give the state directory of the cluster ``name``."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"cluster name {name!r}: at most 11 small letters, digits and dashes")
    return clusters_dir() / name


def load(name: str) -> Layout | None:
    """Read the values of a cluster that is, or was, up."""
    try:
        return Layout(**json.loads((state_dir(name) / "layout.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def module_command(module: str, *arguments: str) -> list[str]:
    """Give the command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]
