"""A grid for the module, and a service on it for each test."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.transfers import grid
from tests.transfers.grid import Grid, adler32
from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.components import ids
from vre_operator.components.context import Environment
from vre_operator.components.registry import render
from vre_operator.components.rucio.pods import SCRIPTS
from vre_operator.engine.resources import Tenant

LIMIT = 60.0
_POLL = 0.1
PROGRAM = (sys.executable, "-m", "vre_operator.transfers.main")
SILENCE = 10  # XRootD tells every five seconds how far it is


def settings() -> list[dict[str, str]]:
    """The files of the storages' ConfigMaps, as rendered."""
    tenant = Tenant(namespace="grid", name="grid", uid="uid-1", cluster_id="cluster-1")
    storage = [{"name": name, "hostname": host} for name, host in zip(grid.NAMES, grid.HOSTS, strict=True)]
    spec = VREEnvironmentSpec.model_validate(
        {
            "hostname": "vre.grid.example.org",
            "identity": {
                "issuer": grid.ISSUER,
                "provider": "keycloak-admin",
                "credentialsSecret": {"name": "login"},
                "allowedGroups": ["members"],
            },
            "dataLake": {
                "enabled": True,
                "storage": storage,
                "accounts": [{"name": "production", "scopes": ["survey"]}],
            },
        }
    )
    rendered = {resource.id: resource for resource in render(Environment(tenant, spec, Site()))}
    maps = [
        dict(resource.body["data"])
        for name in grid.NAMES
        for identity, resource in rendered.items()
        if identity.kind == "v1/ConfigMap" and identity.name == ids.storage(name)
    ]
    return [files | {"prepare.py": SCRIPTS["prepare.py"]} for files in maps]


@pytest.fixture(scope="package")
def storages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    folder = tmp_path_factory.mktemp("grid")
    with grid.running(folder, settings()) as started:
        yield started


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it, but not for ever."""
    async with asyncio.timeout(LIMIT):
        while not await reached():  # noqa: ASYNC110 it is another process that gets there
            await asyncio.sleep(_POLL)


@dataclass
class Service:
    """The program as its pod runs it, and Rucio's way to it."""

    grid: Grid
    data: Path
    options: tuple[str, ...] = ()
    process: Any = None
    told: list[str] = field(default_factory=list)
    session: aiohttp.ClientSession = field(init=False)

    async def start(self) -> None:
        """A new life on the same queue."""
        log = (self.data / "log").open("ab")
        self.process = self.grid.inside(
            *PROGRAM,
            *("--data", str(self.data), "--host", "127.0.0.1", "--port", str(grid.PORT)),
            *("--ca", str(self.grid.folder / "ca.crt"), "--silence-seconds", str(SILENCE), *self.options),
            stdout=log,
            stderr=log,
        )
        log.close()
        async with asyncio.timeout(LIMIT):
            while True:
                with suppress(aiohttp.ClientError):
                    async with self.session.get("http://service/healthz") as answer:
                        if answer.status == 200:
                            return
                assert self.process.poll() is None, self.log
                await asyncio.sleep(_POLL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return int(self.process.wait(timeout=LIMIT))

    @property
    def log(self) -> str:
        return (self.data / "log").read_text()

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, f"http://service{path}", json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def submit(self, *files: dict[str, Any], **params: Any) -> str:
        status, told = await self.ask("POST", "/jobs", {"files": list(files), "params": params})
        assert status == 200, told
        return str(told["job_id"])

    async def job(self, identity: str) -> dict[str, Any]:
        status, told = await self.ask("GET", f"/jobs/{identity}?files=file_state,reason")
        assert status == 200, told
        return dict(told)

    async def ended(self, identity: str) -> dict[str, Any]:
        """The job when all is done."""
        told: dict[str, Any] = {}

        async def over() -> bool:
            told.update(await self.job(identity))
            return told["job_state"] not in ("SUBMITTED", "ACTIVE")

        await until(over)
        return told

    async def copied(self, *files: dict[str, Any], **params: Any) -> dict[str, Any]:
        """The job of these copies when all is done.

        Asked for once more where a storage fell silent, as Rucio does: XRootD 5.5 now and then hangs, and
        answers nothing until the kubelet starts it anew."""
        told = await self.ended(await self.submit(*files, **params))
        if any("was silent for" in str(file["reason"]) for file in told["files"]):
            told = await self.ended(await self.submit(*files, **params))
        return told

    def secrets(self) -> list[str]:
        """The tokens that the queue still holds."""
        with sqlite3.connect(self.data / "queue.sqlite") as database:
            return [row[0] for row in database.execute("SELECT tokens FROM file WHERE tokens IS NOT NULL")]


@pytest.fixture
async def service(storages: Grid, tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(storages, tmp_path)
    connector = aiohttp.UnixConnector(str(storages.folder / grid.SERVICE_SOCKET))
    async with aiohttp.ClientSession(connector=connector) as made.session:
        await made.start()
        yield made
        made.end(signal.SIGKILL)
    # Shown with a test that failed.
    print(made.log)
    print((storages.folder / "grid.log").read_text()[-3000:])


def wanted(storages: Grid, name: str, content: bytes, **more: Any) -> dict[str, Any]:
    """A copy of `name` from the first storage to the second, as Rucio asks for it."""
    return {
        "sources": [storages.url(0, name)],
        "destinations": [storages.url(1, name)],
        "metadata": {"request_id": f"request of {name}", "src_rse": "GRID-A", "dst_rse": "GRID-B"},
        "filesize": len(content),
        "checksum": f"ADLER32:{adler32(content)}",
        "source_tokens": [storages.token(0, "read")],
        "destination_tokens": [storages.token(1)],
    } | more
