"""Debian's Chromium, driven by Playwright, as a person's browser on this machine."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from dev.system import MissingError, ensure, find

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def browser(ca_file: Path, domain: str, address: str) -> Iterator[Browser]:
    """Start a headless browser that trusts `ca_file` and finds every name under `domain` at `address`.

    It gets a home of its own: there the CA is trusted, and nothing of the person's is touched.
    """
    with tempfile.TemporaryDirectory(prefix="vre-browser-") as home:
        _trust(ca_file, Path(home) / ".pki" / "nssdb")
        arguments = [*_ARGUMENTS, f"--host-resolver-rules=MAP *.{domain} {address}"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(
                executable_path=_program(), args=arguments, env={**os.environ, "HOME": home}
            )
            try:
                yield started
            finally:
                started.close()


@contextmanager
def person(started: Browser) -> Iterator[Page]:
    """Open a window without a past: cookies and logins end with it."""
    context = started.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(120_000)
    try:
        yield context.new_page()
    finally:
        context.close()


@contextmanager
def quiet(page: Page) -> Iterator[None]:
    """While this lasts the page's console complains of nothing; AssertionError with what it said."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type in ("error", "warning") else None)
    yield
    assert not told, told  # noqa: S101


def _program() -> str:
    if not any(map(find, _PROGRAMS)):
        ensure("chromium")
    for name in _PROGRAMS:
        if path := find(name):
            return path
    raise MissingError(f"no browser found; looked for {', '.join(_PROGRAMS)}")


def _trust(ca_file: Path, database: Path) -> None:
    ensure("certutil")
    certutil = find("certutil") or "certutil"
    database.mkdir(parents=True)
    where = ["-d", f"sql:{database}"]
    subprocess.run([certutil, *where, "-N", "--empty-password"], check=True, capture_output=True)
    add = ["-A", "-n", "vre-demo", "-t", "C,,", "-i", str(ca_file)]
    subprocess.run([certutil, *where, *add], check=True, capture_output=True)
