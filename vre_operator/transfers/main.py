"""`vre-transfers`: the process in the pod."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
import sys
import time
from pathlib import Path

import aiohttp
import click
from aiohttp import web

from vre_operator.transfers.copy import SILENCE
from vre_operator.transfers.service import Meters, Service
from vre_operator.transfers.store import Store
from vre_operator.transfers.work import Bounds, Workers

_PURGE_SECONDS = 3600.0
_SHUTDOWN_SECONDS = 5.0

log = logging.getLogger(__name__)


@click.command(context_settings={"auto_envvar_prefix": "VRE_TRANSFERS"})
@click.option("--data", type=click.Path(file_okay=False, exists=True, path_type=Path), required=True)
@click.option("--host", default="0.0.0.0", show_default=True)  # noqa: S104 the pod's policy says who comes in
@click.option("--port", type=int, default=8446, show_default=True)
@click.option("--ca", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="trusted, too")
@click.option("--queue", type=int, default=20_000, show_default=True, help="files that may wait")
@click.option("--copies", type=int, default=10, show_default=True, help="copies at once")
@click.option("--copies-per-storage", type=int, default=4, show_default=True)
@click.option("--silence-seconds", type=float, default=SILENCE, show_default=True)
@click.option("--keep-days", type=float, default=7, show_default=True, help="how long jobs are remembered")
def main(
    *,
    data: Path,
    host: str,
    port: int,
    ca: Path | None,
    queue: int,
    copies: int,
    copies_per_storage: int,
    silence_seconds: float,
    keep_days: float,
) -> None:
    """Copy files between storages, for Rucio."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    store = Store(data / "queue.sqlite", limit=queue, clock=time.time)
    bounds = Bounds(copies, copies_per_storage, silence_seconds)
    with contextlib.closing(store):
        asyncio.run(_serve(store, bounds, (host, port), ca, keep_days * 86_400))


async def _serve(
    store: Store, bounds: Bounds, address: tuple[str, int], ca: Path | None, keep_seconds: float
) -> None:
    trust = ssl.create_default_context()
    if ca:
        trust.load_verify_locations(ca)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    meters = Meters()
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        workers = Workers(store, session, bounds, meters.told)
        tasks = [asyncio.create_task(workers.run()), asyncio.create_task(_purge(store, keep_seconds))]

        def alive() -> str:
            return "" if not any(task.done() for task in tasks) else "a part of the service ended"

        service = Service(store, workers, meters, alive)
        runner = web.AppRunner(service.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        await web.TCPSite(runner, *address).start()
        log.info("serving on port %d", address[1])
        ended = asyncio.create_task(ending.wait())
        await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        await runner.cleanup()
        for task in (*tasks, ended):
            task.cancel()
        results = await asyncio.gather(*tasks, ended, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _purge(store: Store, keep_seconds: float) -> None:
    while True:
        store.purge(keep_seconds)
        await asyncio.sleep(_PURGE_SECONDS)


if __name__ == "__main__":
    main()
