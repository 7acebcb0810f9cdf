# mypy: ignore-errors
"""The landing page's server: static files, and state.json with what is told and how the services are.

Arguments: the folder of the files, and page.json, which is read again at every request. A service is asked at
most once in MEMORY seconds, and only while somebody looks. Needs Tornado alone.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import Application, RequestHandler, StaticFileHandler

PORT = int(os.environ.get("VRE_PAGE_PORT", "8080"))
MEMORY = 10
PATIENCE = 5
FILES = ("page.css", "page.js", "logo.svg")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Server": "vre",
}


class Health:
    """What the services answered last. Many askers at once make one question."""

    def __init__(self):
        self.known = {}

    async def of(self, address, host):
        """up or down."""
        asked, question = self.known.get(address, (0, None))
        if time.monotonic() > asked + MEMORY:
            question = asyncio.ensure_future(answers(address, host))
            self.known[address] = (time.monotonic(), question)
        return "up" if await asyncio.shield(question) else "down"


async def answers(address, host):
    """host: by which name it is asked, as a person's browser does; its own when empty."""
    try:
        answer = await AsyncHTTPClient().fetch(
            address,
            headers={"Host": host, "X-Forwarded-Proto": "https"} if host else {},
            raise_error=False,
            follow_redirects=False,
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
        )
    except (HTTPClientError, OSError, ValueError):  # silence is raised, whatever raise_error says
        return False
    return answer.code == 200


class State(RequestHandler):
    def initialize(self, told, health):
        self.told, self.health = told, health

    def set_default_headers(self):
        for name, value in HEADERS.items():
            self.set_header(name, value)

    async def get(self):
        told = json.loads(self.told.read_text())
        await asyncio.gather(*(self.look_at(service) for service in told["services"]))
        self.set_header("Cache-Control", "no-store")
        self.write(told)

    async def look_at(self, service):
        probe, host = service.pop("probe", None), service.pop("host", "")
        service["health"] = await self.health.of(probe, host) if probe else "unknown"


class Static(StaticFileHandler):
    def set_default_headers(self):
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def set_extra_headers(self, path):
        # Asked again each time, and then mostly a 304: a new version is seen at once.
        self.set_header("Cache-Control", "no-cache")


class Alive(RequestHandler):
    def get(self):
        self.write("ok")


def application(files, told):
    everything = {"path": files}
    return Application(
        [
            (r"/()", Static, everything | {"default_filename": "index.html"}),
            (rf"/page/({'|'.join(FILES)})", Static, everything),
            (r"/page/state\.json", State, {"told": Path(told), "health": Health()}),
            (r"/page/healthz", Alive),
        ],
        log_function=lambda handler: None,
    )


async def main(files, told):
    application(files, told).listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
