"""The real programs, from the lock files of the development images, installed outside the tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vre_operator.engine.refs import Ref, encode, resolve
from vre_operator.engine.resources import Resource

LOCKS = Path(__file__).parents[1] / "dev/images/locks"


def environment(name: str) -> Path:
    """The `bin` of a Python environment with what the lock file `name` lists, made once."""
    lock = LOCKS / f"{name}.lock"

    def make(directory: Path) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(directory))
        python = str(directory / "bin/python")
        _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(lock))

    return _made_once(name, lock.read_bytes() + sys.version.encode(), make) / "bin"


def proxy() -> list[str]:
    """The command that starts configurable-http-proxy."""
    source = LOCKS / "proxy"

    def make(directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(source, directory)
        _run("npm", "ci", "--omit=dev", "--silent", cwd=directory)

    directory = _made_once("proxy", (source / "package-lock.json").read_bytes(), make)
    return ["node", str(directory / "node_modules/configurable-http-proxy/bin/configurable-http-proxy")]


def content(resource: Resource, values: dict[str, str]) -> dict[str, str]:
    """The files that a Secret or ConfigMap makes; `values` are those of refs, by "resource/output"."""

    def value(ref: Ref) -> str:
        return encode(values[f"{ref.of.name}/{ref.output}"], ref.encode)

    body: dict[str, Any] = resolve(dict(resource.body), value, str)
    return dict(body.get("stringData") or body.get("data") or {})


def write(directory: Path, files: dict[str, str]) -> Path:
    """`files` as a mounted volume shows them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


@contextmanager
def process(
    command: list[str], log: Path, *, stop: int = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs for as long as the block."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, **options)
    try:
        yield running
    finally:
        running.send_signal(stop)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _made_once(name: str, source: bytes, make: Callable[[Path], None]) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vre-operator"
    cache = Path(os.environ.get("VRE_DEV_CACHE") or base) / "software"
    cache.mkdir(parents=True, exist_ok=True)
    directory = cache / f"{name}-{hashlib.sha256(source).hexdigest()[:12]}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "complete").exists():
            make(directory)
            (directory / "complete").touch()
    return directory


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd)
