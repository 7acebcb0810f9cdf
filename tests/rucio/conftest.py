"""A real Rucio for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rucio.declared import Keeper
from tests.rucio.lake import ROOT_PASSWORD, AtWork, at_work


@pytest.fixture(scope="module")
def rucio() -> Iterator[AtWork]:
    with at_work("lake") as work:
        yield work
        assert ROOT_PASSWORD not in (work.directory / "server.log").read_text()


@pytest.fixture
def keeper(rucio: AtWork) -> Keeper:
    return Keeper(rucio.url)
