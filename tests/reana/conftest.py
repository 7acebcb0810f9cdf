"""A real PostgreSQL for a module, with a database for each generation of REANA."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.server import Server, running
from tests.reana.models import GENERATIONS, Reana


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    # Not pytest's own directory: its parents are closed to the user postgres.
    with tempfile.TemporaryDirectory(prefix="vre-reana-") as directory, running(Path(directory)) as server:
        yield server


@pytest.fixture(scope="module", params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reana(postgres: Server, generation: str, request: pytest.FixtureRequest) -> Reana:
    """One with an empty database, of each generation."""
    return _created(generation, postgres, request)


@pytest.fixture
def newest(postgres: Server, request: pytest.FixtureRequest) -> Reana:
    """As `reana`, where the generation does not matter."""
    return _created(GENERATIONS[-1], postgres, request)


def _created(generation: str, postgres: Server, request: pytest.FixtureRequest) -> Reana:
    name = "".join(char if char.isalnum() else "_" for char in request.node.name.lower())[-50:]
    made = Reana(generation, postgres, f"r_{name}")
    made.create()
    return made
