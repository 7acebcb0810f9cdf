from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.oidc.idp import Idp, running


@pytest.fixture
async def idp(tmp_path: Path) -> AsyncIterator[Idp]:
    async with running(tmp_path) as started:
        yield started
