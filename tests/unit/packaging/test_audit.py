"""The audit against a service that answers, one that knows nothing, and none."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dev import audit
from dev.ports import free_port

Answers = Callable[[str, str], bool]
_WARNED_OF = tuple(audit.WARNED_OF.split("=="))


@contextmanager
def service(warns_of: Answers) -> Iterator[str]:
    """It speaks as api.osv.dev does, of nothing but ``warns_of(name, version)``; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            raw = json.dumps({"vulns": [_vulnerability(name)]} if warns_of(name, version) else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


def _vulnerability(name: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "9.9"}]
    affected = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": "PYSEC-0000-1", "aliases": ["CVE-0000-1"], "summary": "bad", "affected": [affected]}


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # pip-audit keeps answers, and none of ours may be found there.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    file = tmp_path / "some.lock"
    file.write_text("".join(f"{name}==1.0 --hash=sha256:{'1' * 64}\n" for name in ("good", "bad")))
    return str(file)


def test_a_finding_fails_the_audit(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    with service(lambda name, version: name == "bad" or (name, version) == _WARNED_OF) as url:
        assert audit.main(["--osv-url", url, lock]) == 1
    told = capsys.readouterr().out
    assert "some.lock: bad 1.0: PYSEC-0000-1, CVE-0000-1; fixed in 9.9" in told
    assert "2 locked packages" in told
    assert "1 findings" in told


def test_nothing_found_passes(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    with service(lambda name, version: (name, version) == _WARNED_OF) as url:
        assert audit.main(["--osv-url", url, lock]) == 0
    assert "SKIPPED" not in capsys.readouterr().out


def test_a_service_that_knows_nothing_is_not_believed(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    with service(lambda *_: False) as url:
        assert audit.main(["--required", "--osv-url", url, lock]) == 1
    assert "SKIPPED, nothing was audited" in (told := capsys.readouterr().out)
    assert f"{url}: asked for {audit.WARNED_OF}" in told


def test_nobody_there_is_told(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/query"
    assert audit.main(["--osv-url", url, lock]) == 0
    assert "SKIPPED, nothing was audited" in (told := capsys.readouterr().out)
    assert f"  {url}: requests.exceptions.ConnectionError" in told


def test_every_lock_of_what_is_shipped_is_audited() -> None:
    assert all("--hash=sha256:" in lock.read_text() for lock in audit.LOCKS)
