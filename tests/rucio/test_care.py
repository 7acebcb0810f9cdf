"""What comes on a schedule, on a real Rucio: a probe that sees what does not work, and the end of history."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.postgres.server import Server
from tests.rucio.declared import Keeper
from tests.rucio.lake import Lake, at_work

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Cared:
    lake: Lake
    database: Server

    def probe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.lake.python(str(self.lake.scripts / "probe.py"), *arguments)


def disk(name: str, path: Path) -> dict[str, Any]:
    protocol = {"scheme": "file", "hostname": "localhost", "port": 0, "prefix": f"{path}/"}
    return {"name": name, "protocols": [protocol | {"implementation": "posix.Default"}]}


async def declare(url: str, rses: list[dict[str, Any]]) -> None:
    outcomes = await Keeper(url).keep({"rses": rses})
    assert all(outcome.ready for outcome in outcomes.values())


@pytest.fixture(scope="module")
def cared() -> Iterator[Cared]:
    with at_work("care") as work:
        (work.directory / "file").write_text("no directory")
        rses = [disk("GOOD", work.directory / "good"), disk("BAD", work.directory / "file" / "bad")]
        asyncio.run(declare(work.url, rses))
        with work.daemon("reaper", "rucio-reaper", "--threads", "1", "--sleep-time", "5"):
            yield Cared(work.lake, work.database)


def test_a_probe_goes_the_whole_way_and_leaves_nothing(cared: Cared) -> None:
    done = cared.probe("--delete", "--limit", "90", "GOOD")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all is well with GOOD"
    assert [path for path in (cared.lake.directory / "good").rglob("*") if path.is_file()] == []


def test_a_storage_that_takes_nothing_is_named_and_the_others_are_probed(cared: Cared) -> None:
    done = cared.probe("BAD", "GOOD")
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("BAD: writing failed: ")
    assert "GOOD" not in last


def test_a_copy_that_nobody_makes_is_told(cared: Cared) -> None:
    """No daemon that transfers runs here."""
    done = cared.probe("--copy", "--limit", "5", "GOOD", "BAD")
    assert done.returncode == 1
    assert "GOOD to BAD: no copy at BAD: " in done.stdout.splitlines()[-1]
    assert "after 5 s" in done.stdout.splitlines()[-1]


def test_an_rse_that_is_not_there_is_told(cared: Cared) -> None:
    done = cared.probe("NOWHERE")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("NOWHERE: writing failed: ")
    assert "NOWHERE" in done.stdout.splitlines()[-1]


_ROW = """
INSERT INTO messages_history (id, event_type, payload, created_at, updated_at)
VALUES (gen_random_uuid(), 'test', '', now(), now() - interval '{days} days')
"""


def test_history_ends_after_so_many_days(cared: Cared) -> None:
    for days in (10, 29, 31, 400, 400):
        cared.database.sql(_ROW.format(days=days), database="care")
    done = cared.lake.python(str(cared.lake.scripts / "history.py"), "30")
    assert done.returncode == 0, done.stderr
    assert "messages_history: 3 rows deleted" in done.stdout.splitlines()
    assert len(done.stdout.splitlines()) == 5, "each table is there"
    assert cared.lake.python(str(cared.lake.scripts / "history.py"), "30").stdout.count(": 0 rows deleted") == 5
