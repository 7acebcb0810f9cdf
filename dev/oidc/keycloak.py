"""Keycloak from its Maven artifact, with https on loopback and everything in memory."""

from __future__ import annotations

import fcntl
import secrets
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.oidc.process import cache, serving
from dev.oidc.tls import write_certificates
from dev.ports import free_port
from dev.progress import step
from dev.system import ensure

VERSION = "26.7.3"
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
# Previews: people by SCIM; a policy by which a realm ends clients' secrets.
_FEATURES = ("scim-api", "client-secret-rotation")
_HEAP = "-Xms64m -Xmx384m"
_START_LIMIT = 240


@dataclass(frozen=True, slots=True)
class Server:
    """A running Keycloak. `admin` may do everything through the master realm's client admin-cli."""

    url: str
    ca: str
    admin: str = "admin"
    password: str = field(default="", repr=False)


def install() -> Path:
    """The unpacked distribution, built for an in-memory database; made once and kept in the cache."""
    folder = cache("keycloak")
    home = folder / f"keycloak-{VERSION}-dev-mem-{'-'.join(_FEATURES)}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                _make(Path(scratch)).rename(home)
    return home


def _make(scratch: Path) -> Path:
    ensure("mvn", "java")
    with step(f"downloading Keycloak {VERSION}"):
        artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
        _run(
            [
                "mvn",
                "-q",
                "-B",
                f"{_DEPENDENCY_PLUGIN}:copy",
                f"-Dartifact={artifact}",
                f"-DoutputDirectory={scratch}",
            ],
            scratch,
        )
    with zipfile.ZipFile(scratch / f"keycloak-quarkus-dist-{VERSION}.zip") as archive:
        archive.extractall(scratch)
    home = scratch / f"keycloak-{VERSION}"
    with step("building Keycloak's configuration"):
        _run(
            ["bash", str(home / "bin/kc.sh"), "build", "--db=dev-mem", f"--features={','.join(_FEATURES)}"],
            scratch,
        )
    return home


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


@contextmanager
def running(folder: Path, public: str = "") -> Iterator[Server]:
    """Keycloak until the block ends; certificates and the log are written into `folder`.

    public: what it calls itself when it stands behind a proxy.
    """
    home = install()
    ca = write_certificates(folder)
    port, password = free_port(), secrets.token_hex(16)
    server = Server(f"https://localhost:{port}", ca, password=password)
    env = {
        "JAVA_OPTS_KC_HEAP": _HEAP,
        "KC_BOOTSTRAP_ADMIN_USERNAME": server.admin,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
    }
    options = {
        "http-host": "127.0.0.1",
        "https-port": str(port),
        "https-certificate-file": str(folder / "tls.crt"),
        "https-certificate-key-file": str(folder / "tls.key"),
        "hostname": public or server.url,
        "cache": "local",
        "log-level": "WARN",
    }
    command = ["bash", str(home / "bin/kc.sh"), "start", "--optimized"]
    command += [f"--{name}={value}" for name, value in options.items()]
    probe = f"{server.url}/realms/master/.well-known/openid-configuration"
    with serving(command, env, folder / "keycloak.log", url=probe, ca=ca, limit=_START_LIMIT):
        yield server
