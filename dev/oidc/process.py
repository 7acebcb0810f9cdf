"""Start a server, wait until it answers, and end it."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def cache(name: str) -> Path:
    """A folder for downloads, outside the tree."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vre-operator"
    folder = Path(os.environ.get("VRE_DEV_CACHE") or base) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def serving(
    command: Sequence[str], env: Mapping[str, str], log: Path, *, url: str, ca: str, limit: float
) -> Iterator[None]:
    """Run `command` until the block ends; the block is entered when `url` answers 200."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(process, url, ca, limit, log)
        yield
    finally:
        # the start script forks: the whole session goes
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, ca: str, limit: float, log: Path) -> None:
    context = ssl.create_default_context(cadata=ca)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"{url} did not answer within {limit:.0f} s; the end of {log}:\n{tail}")
