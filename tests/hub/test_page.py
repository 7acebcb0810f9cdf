"""The landing page's server as its pod runs it, with services that answer, do not, and are asked too often."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dev.ports import free_port
from tests import software
from tests.unit.components.scenarios import FULL, FULL_SITE, environment
from vre_operator.components import page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HOSTILE = "</script><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202e"
SPEC = FULL | {"page": {"title": "Ocean", "message": HOSTILE}}
_MEMORY = 1


@dataclass
class Service:
    """What the page asks: `status` is its answer, None stands for silence."""

    status: int | None = 200
    asked: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    port: int = 0


@dataclass(frozen=True)
class Page:
    port: int
    root: Path
    hub: Service
    rucio: Service
    reana: Service

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        status, headers, body = self.get("/page/state.json")
        assert (status, headers["cache-control"]) == (200, "no-store")
        told: dict[str, Any] = json.loads(body)
        return told

    def health(self) -> list[str]:
        return [service["health"] for service in self.state()["services"]]

    def until(self, wanted: list[str]) -> None:
        end = time.monotonic() + 180
        while (found := self.health()) != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.2)


@contextmanager
def answering(service: Service) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append(self.path)
            service.names.add(self.headers["Host"])
            if service.status is None:
                time.sleep(3)
            with suppress(OSError):
                self.send_response(service.status or 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Page]:
    hub, rucio, reana = Service(), Service(), Service()
    resources = {one.id.name: one for one in page.render(environment(SPEC, FULL_SITE)) if "data" in one.body}
    for name, resource in resources.items():
        software.write(tmp_path / name, software.content(resource, {}))
    port = free_port()
    program = str(tmp_path / "page-files/page.py")
    # The same file, with less patience than people have.
    text = Path(program).read_text()
    assert "MEMORY = 10\nPATIENCE = 5\n" in text
    Path(program).write_text(text.replace("MEMORY = 10\nPATIENCE = 5\n", f"MEMORY = {_MEMORY}\nPATIENCE = 1\n"))
    command = [str(software.environment("hub") / "python"), "-B", program, str(tmp_path / "page-files")]
    variables = os.environ | {"VRE_PAGE_PORT": str(port)}
    log = tmp_path / "log"
    with (
        answering(hub),
        answering(rucio),
        answering(reana),
        software.process([*command, str(tmp_path / "page/page.json")], log, env=variables) as running,
    ):
        made = Page(port, tmp_path, hub, rucio, reana)
        change(made, lambda told: lead(told, made))
        end = time.monotonic() + 180
        while True:
            with suppress(OSError):
                if made.get("/page/healthz")[0] == 200:
                    break
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield made
        assert "Traceback" not in log.read_text(), log.read_text()


def lead(told: dict[str, Any], served: Page) -> None:
    probed = [service for service in told["services"] if "probe" in service]
    for service, one in zip(probed, (served.hub, served.rucio, served.reana), strict=True):
        put(service, one.port)


def put(service: dict[str, Any], port: int) -> None:
    """The same question to a server of this test."""
    path = service["probe"].partition("//")[2].partition("/")[2]
    service["probe"] = f"http://127.0.0.1:{port}/{path}"


def change(served: Page, how: Callable[[dict[str, Any]], object]) -> None:
    """As the kubelet brings a new ConfigMap: another file in the place of the old."""
    file = served.root / "page/page.json"
    told = json.loads(file.read_text())
    how(told)
    scratch = file.with_suffix(".new")
    scratch.write_text(json.dumps(told))
    scratch.replace(file)


def test_it_tells_what_works_and_what_does_not(served: Page) -> None:
    assert served.health() == ["up", "up", "up"]
    asked = [one.asked for one in (served.hub, served.rucio, served.reana)]
    assert asked == [["/hub/health"], ["/ping"], ["/api/ping"]]
    served.hub.status = 503
    served.until(["down", "up", "up"])
    served.hub.status = None
    served.rucio.status = served.reana.status = 302
    served.until(["down", "down", "down"])
    served.hub.status = served.rucio.status = served.reana.status = 200
    served.until(["up", "up", "up"])


def test_reana_is_asked_by_the_name_that_it_answers_to(served: Page) -> None:
    served.health()
    assert served.reana.names == {"reana.ocean.example.org"}
    assert served.hub.names == {f"127.0.0.1:{served.hub.port}"}


def test_who_is_not_there_at_all_is_down(served: Page) -> None:
    change(served, lambda told: put(told["services"][1], free_port()))
    served.until(["up", "down", "up"])


def test_many_that_look_at_once_are_one_question(served: Page) -> None:
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: served.health(), range(200)))
    assert {tuple(one) for one in found} == {("up", "up", "up")}
    assert len(served.hub.asked) < 20


def test_nobody_looks_and_nothing_is_asked(served: Page) -> None:
    served.health()
    asked = len(served.hub.asked)
    time.sleep(3 * _MEMORY)
    assert len(served.hub.asked) == asked


def test_the_words_are_those_of_the_spec_and_new_ones_come_without_a_restart(served: Page) -> None:
    told = served.state()
    assert (told["title"], told["message"]) == ("Ocean", HOSTILE)
    inside = {"probe", "host"}
    assert all(inside.isdisjoint(service) for service in told["services"]), "what is inside is nobody's matter"
    change(served, lambda told: told.update(message="closed on Monday"))
    assert served.state()["message"] == "closed on Monday"


def test_files_that_browsers_may_run_nothing_else_from(served: Page) -> None:
    for path, kind in {
        "/": "text/html",
        "/page/page.js": "javascript",
        "/page/page.css": "text/css",
        "/page/logo.svg": "image/svg+xml",
    }.items():
        status, headers, body = served.get(path)
        assert (status, kind in headers["content-type"]) == (200, True), path
        assert body
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    html = served.get("/")[2].decode()
    assert "<style" not in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    "path",
    [
        *("/page/page.py", "/page.py", "/page/../page.py", "/page/%2e%2e/page/page.json"),
        *("/page/page.json", "/etc/passwd"),
    ],
)
def test_nothing_else_is_served(served: Page, path: str) -> None:
    assert served.get(path)[0] == 404
