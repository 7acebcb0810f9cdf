"""A registry of each kind, once for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.registry.running import Registry, running


@pytest.fixture(scope="session")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Registry]]:
    """By the way in which they ask who one is; "" for not at all."""
    with ExitStack() as stack:
        yield {
            auth: stack.enter_context(running(tmp_path_factory.mktemp("registry"), auth))
            for auth in ("", "htpasswd", "token")
        }


@pytest.fixture
def registry(registries: dict[str, Registry]) -> Registry:
    return registries[""]
