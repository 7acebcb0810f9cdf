"""A provider that costs next to nothing: a discovery document, and a token endpoint that knows every client.

`POST /_test/delay/SECONDS` makes it slow, `POST /_test/fail/HOW` sick (hangs, 500, resets; `well` again);
`GET /_test/calls` tells how often it was asked.
A process of its own: `python -m tests.scale.issuer FOLDER PORT`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from dev.oidc.process import serving
from dev.oidc.tls import write_certificates
from dev.ports import free_port
from tests.scale.tenants import discovery


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running one. ca: the PEM text of its authority."""

    url: str
    ca: str

    def calls(self) -> Counter[str]:
        """How often each method and path was asked so far."""
        return Counter(json.loads(self._ask("GET", "calls")))

    def delay(self, seconds: float) -> None:
        self._ask("POST", f"delay/{seconds}")

    def fail(self, how: str) -> None:
        """hangs, 500 or resets; "": not any more."""
        self._ask("POST", f"fail/{how or 'well'}")

    def _ask(self, method: str, path: str) -> bytes:
        context = ssl.create_default_context(cadata=self.ca)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(f"{self.url}/_test/{path}", method=method)  # noqa: S310
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            found: bytes = answer.read()
        return found


@contextmanager
def running(folder: Path) -> Iterator[Issuer]:
    """Beside the block."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = write_certificates(folder)
    port = free_port()
    issuer = Issuer(f"https://localhost:{port}", ca)
    command = [sys.executable, "-m", "tests.scale.issuer", str(folder), str(port)]
    with serving(command, {}, folder / "issuer.log", url=f"{issuer.url}/_test/calls", ca=ca, limit=60):
        yield issuer


def app(url: str) -> web.Application:
    calls: Counter[str] = Counter()
    seconds, sickness = 0.0, "well"

    def counted(answer: Callable[[], web.Response]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            calls[f"{request.method} {request.path}"] += 1
            await asyncio.sleep(seconds)
            if sickness == "hangs":
                await asyncio.sleep(3600)
            if sickness == "resets" and request.transport:
                request.transport.abort()
            return answer() if sickness == "well" else web.Response(status=500)

        return handle

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(calls)

    async def delay(request: web.Request) -> web.Response:
        nonlocal seconds
        seconds = float(request.match_info["seconds"])
        return web.Response()

    async def fail(request: web.Request) -> web.Response:
        nonlocal sickness
        sickness = request.match_info["how"]
        return web.Response()

    made = web.Application()
    document = discovery(url)
    made.add_routes(
        [
            web.get("/.well-known/openid-configuration", counted(lambda: web.json_response(document))),
            # As of one that knows the client and not the code: the operator's probe wants no more.
            web.post("/token", counted(lambda: web.json_response({"error": "invalid_grant"}, status=400))),
            web.get("/_test/calls", tell),
            web.post("/_test/delay/{seconds}", delay),
            web.post("/_test/fail/{how}", fail),
        ]
    )
    return made


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    url = f"https://localhost:{port}"
    web.run_app(app(url), host="localhost", port=port, ssl_context=tls, access_log=None, print=None)


if __name__ == "__main__":
    main()
