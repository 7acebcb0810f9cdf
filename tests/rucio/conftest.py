"""A real Rucio for a module."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres.server import Server, running
from tests.rucio.declared import Keeper
from tests.rucio.lake import ROOT_PASSWORD, new_lake, serving


@dataclass(frozen=True)
class Rucio:
    url: str
    database: Server


@pytest.fixture(scope="module")
def rucio() -> Iterator[Rucio]:
    with tempfile.TemporaryDirectory(prefix="vre-rucio-") as name:
        directory = Path(name)
        # Its parents are closed to the user postgres in pytest's own.
        directory.chmod(0o755)
        home = directory / "postgres"
        home.mkdir()
        with running(home) as database:
            lake = new_lake(database, directory, "lake")
            assert lake.make_schema().returncode == 0
            with serving(lake) as url:
                yield Rucio(url, database)
        assert ROOT_PASSWORD not in (directory / "server.log").read_text()


@pytest.fixture
def keeper(rucio: Rucio) -> Keeper:
    return Keeper(rucio.url)
