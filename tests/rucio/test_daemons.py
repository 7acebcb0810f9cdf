"""Rucio's daemons as rendered, on a real PostgreSQL beside a real Rucio: their work and their signs of life."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres.server import Server
from tests.rucio.declared import Keeper
from tests.rucio.lake import Lake, at_work
from tests.rucio.wish import account, unready
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import rucio
from vre_operator.components.rucio.daemons import GROUPS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ALL = [daemon.name for group in GROUPS.values() for daemon in group]
# Each waits up to ten seconds for its place before its first cycle.
PATIENCE = 120.0


@dataclass(frozen=True)
class Running:
    lake: Lake
    database: Server
    processes: dict[str, subprocess.Popen[bytes]]
    url: str

    def alive(self, daemon: str, seconds: float) -> str:
        """What its probe has against it."""
        script = str(self.lake.scripts / "alive.py")
        done = self.lake.python(script, daemon, str(seconds))
        assert (done.returncode == 0) == (done.stderr == ""), done.stderr
        return done.stderr.strip()


def commands() -> dict[str, list[str]]:
    """By daemon, as its container runs it."""
    wish = QUICKSTART | {
        "dataLake": {"enabled": True, "daemons": {"groups": [group.value for group in GROUPS]}}
    }
    return {
        container["name"]: container["command"]
        for resource in rucio.render(environment(wish))
        if resource.id.kind.endswith("/Deployment") and resource.id.name != "rucio"
        for container in resource.body["spec"]["template"]["spec"]["containers"]
    }


@pytest.fixture(scope="module")
def live() -> Iterator[Running]:
    with at_work("daemons") as work, ExitStack() as stack:
        processes = {
            daemon: stack.enter_context(work.daemon(daemon, *command)) for daemon, command in commands().items()
        }
        yield Running(work.lake, work.database, processes, work.url)


async def until(look: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not await look():
        assert time.monotonic() < end, "too late"
        await asyncio.sleep(1)


def test_every_daemon_of_every_group_is_run() -> None:
    assert sorted(commands()) == sorted(ALL)


@pytest.mark.parametrize("daemon", ALL)
async def test_it_gives_a_sign_of_life(live: Running, daemon: str) -> None:
    async def alive() -> bool:
        assert live.processes[daemon].poll() is None, (live.lake.directory / f"{daemon}.log").read_text()[
            -2000:
        ]
        return not live.alive(daemon, 60)

    await until(alive)


async def test_one_that_stands_still_is_noticed(live: Running) -> None:
    daemon = "judge-cleaner"
    await until(lambda: _quiet(live, daemon))
    os.kill(live.processes[daemon].pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(3)
        assert live.alive(daemon, 2).startswith(f"no sign of life of {daemon} for ")
        assert live.alive(daemon, 600) == ""
    finally:
        os.kill(live.processes[daemon].pid, signal.SIGCONT)
    assert live.alive("judge-nobody", 600) == "judge-nobody gave no sign of life yet"


async def _quiet(live: Running, daemon: str) -> bool:
    return not live.alive(daemon, 600)


def test_without_a_database_nobody_is_called_dead(live: Running) -> None:
    config = live.lake.files / "rucio.cfg"
    whole = config.read_text()
    try:
        config.write_text(whole.replace(f":{live.database.port}/", ":1/"))
        assert live.alive("reaper", 1) == ""
    finally:
        config.write_text(whole)


async def test_a_file_that_no_rule_keeps_is_counted_and_deleted(live: Running) -> None:
    """Rule, usage, the rule's end, the reaper: the file is gone from the disk."""
    disk = live.lake.directory / "disk"
    posix = {"scheme": "file", "hostname": "localhost", "port": 0, "prefix": f"{disk}/"}
    wish = {
        "rses": [
            {
                "name": "DISK",
                "attributes": [{"name": "greedyDeletion", "value": "true"}],
                "protocols": [posix | {"implementation": "posix.Default"}],
            }
        ],
        "accounts": [
            {
                "name": "work",
                "admin": True,
                "scopes": ["work"],
                "quotas": [{"rseExpression": "*", "size": "1Gi"}],
            }
        ],
    }
    keeper = Keeper(live.url)
    assert all(outcome.ready for outcome in (await keeper.keep(wish)).values())
    person = keeper.person()
    places = await person.get("rses", "DISK", "lfns2pfns", query={"lfn": "work:file"})
    path = Path("/" + places["work:file"].split("/", 3)[3].lstrip("/"))
    put(path, b"data")
    replica = {"scope": "work", "name": "file", "bytes": 4, "adler32": "0400019b", "state": "A"}
    await person.ask("POST", "replicas", body={"rse": "DISK", "files": [replica]})
    rule = {
        "dids": [{"scope": "work", "name": "file"}],
        "account": "work",
        "copies": 1,
        "rse_expression": "DISK",
    }
    await person.ask("POST", "rules", "", body=rule)
    (made,) = await person.get("accounts", "work", "rules")
    assert made["state"] == "OK"

    async def counted() -> bool:
        usage = await person.get("accounts", "work", "usage", "local")
        return [(one["rse"], one["bytes"]) for one in usage] == [("DISK", 4)]

    await until(counted)
    assert there(path)
    await person.ask("PUT", "rules", made["id"], body={"options": {"lifetime": 0}})

    async def deleted() -> bool:
        return not there(path)

    await until(deleted, 300)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def there(path: Path) -> bool:
    return path.exists()


async def test_a_subscription_makes_rules(live: Running) -> None:
    wish = {
        "rses": [{"name": "SUBSCRIBED"}],
        "accounts": [account("subs", scopes=["subs"])],
        "daemons": {"groups": ["Subscriptions"]},
        "subscriptions": [
            {
                "name": "all",
                "account": "subs",
                "filter": {"scopes": ["subs"], "types": ["Dataset"]},
                "rules": [{"rseExpression": "SUBSCRIBED"}],
            }
        ],
    }
    keeper = Keeper(live.url)
    assert unready(await keeper.keep(wish)) == {}
    person = keeper.person()
    await person.ask("POST", "dids", "subs", "data", body={"type": "DATASET"})

    async def ruled() -> bool:
        rules = await person.get("accounts", "subs", "rules")
        return [one["rse_expression"] for one in rules or ()] == ["SUBSCRIBED"]

    await until(ruled, 180)
