"""What the development tools need from the operating system, in one table."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.progress import step


class MissingError(Exception):
    """Something is missing that these tools may not or cannot install themselves."""


@dataclass(frozen=True)
class Tool:
    """A program or file, the Debian package that brings it, and what it is for."""

    path: str
    package: str
    why: str


TOOLS = (
    Tool("containerd", "containerd", "runs the pods"),
    Tool("runc", "runc", "runs the pods' processes"),
    Tool("/usr/lib/cni/bridge", "containernetworking-plugins", "the pod network"),
    Tool("iptables", "iptables", "Services"),
    Tool("conntrack", "conntrack", "Services"),
    Tool("ip", "iproute2", "the cluster's network"),
    Tool("unshare", "util-linux", "the cluster's namespaces"),
    Tool("mount", "mount", "the cluster's namespaces"),
    Tool("modprobe", "kmod", "overlay and bridge netfilter"),
    Tool("nginx", "nginx-light", "Ingress"),
    Tool("socat", "socat", "127.0.0.1:443 for a browser on this machine"),
    Tool("busybox", "busybox-static", "the volume provisioner's helper image"),
    Tool("debootstrap", "debootstrap", "the base of the development images"),
    Tool("mvn", "maven", "fetches Keycloak for the development images"),
    Tool("java", "default-jre-headless", "runs Keycloak in tests of login clients"),
    Tool("pg_ctlcluster", "postgresql", "tests against a real PostgreSQL"),
    Tool("chromium", "chromium", "the browser of the end-to-end tests"),
    Tool("spin", "spin", "checks the model of the client-registration protocol"),
    Tool("gcc", "gcc", "compiles the verifier that spin writes"),
    Tool("voms-proxy-fake", "voms-clients", "signs and reads what x509 proxies carry"),
    Tool("krb5kdc", "krb5-kdc", "a Kerberos KDC, in a test of what jobs read"),
    Tool("kadmin.local", "krb5-admin-server", "makes principals and keytabs there"),
    Tool("kinit", "krb5-user", "asks it for tickets, as the side-car of jobs does"),
    Tool("docker-registry", "docker-registry", "a registry of images, in tests of the catalogue"),
    Tool("certutil", "libnss3-tools", "makes the browser trust the cluster's CA"),
)
NODE = (
    "containerd",
    "runc",
    "/usr/lib/cni/bridge",
    "iptables",
    "conntrack",
    "ip",
    "unshare",
    "mount",
    "modprobe",
    "nginx",
    "socat",
    "busybox",
)
"""What a cluster with a real node needs."""

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
_POLICY = Path("/usr/sbin/policy-rc.d")
_LOCK = Path("/run/lock/vre-operator-packages")


def find(tool: str) -> str | None:
    """Give the full path of a program, /usr/sbin included, or None."""
    return shutil.which(tool, path=SEARCH_PATH)


def ensure(*tools: str) -> None:
    """Install the named entries of ``TOOLS`` that are missing.

    Needs root on Debian or Ubuntu; elsewhere it raises ``MissingError`` with the command to run.
    """
    table = {tool.path: tool for tool in TOOLS}
    missing = [table[name] for name in tools if not find(name)]
    if not missing:
        return
    packages = sorted({tool.package for tool in missing})
    if os.geteuid() != 0 or not find("apt-get"):
        listing = "\n".join(f"  {tool.path}: {tool.why}" for tool in missing)
        command = "apt-get install --no-install-recommends " + " ".join(packages)
        raise MissingError(f"missing programs:\n{listing}\nInstall them as root (Debian, Ubuntu): {command}")
    with _alone():
        _install([tool for tool in missing if not find(tool.path)])


def _install(missing: list[Tool]) -> None:
    packages = sorted({tool.package for tool in missing})
    if not packages:
        return
    with step(f"installing {', '.join(packages)}"), _no_service_starts(packages):
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
        if _apt(install).returncode != 0:
            _apt(["apt-get", "update", "-q"])
            done = _apt(install)
            if done.returncode != 0:
                raise MissingError(f"`{' '.join(install)}` failed:\n{done.stdout[-2000:]}")
    still = [tool.path for tool in missing if not find(tool.path)]
    if still:
        raise MissingError(f"not found although their packages are installed: {', '.join(still)}")


@contextmanager
def _alone() -> Iterator[None]:
    """Two of apt-get at once end one of them."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_root(what: str) -> None:
    """Raise ``MissingError`` unless this process is root."""
    if os.geteuid() != 0:
        raise MissingError(f"{what} needs root (namespaces, mounts, routes): run it with sudo")


def _apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


@contextmanager
def _no_service_starts(packages: list[str]) -> Iterator[None]:
    """Keep Debian from starting, now or at boot, the daemons that we only want as programs."""
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _POLICY.unlink()
    units = [unit for unit in ("containerd", "nginx") if any(unit in package for package in packages)]
    if units and find("systemctl"):
        subprocess.run(["systemctl", "disable", *units], capture_output=True, check=False)
