"""Work that takes minutes, some seconds of it at a time: a walk ends soon, tells how far it is, and waits for
nothing that takes as long beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from vre_operator.targets.rucio.lake import Lake
from vre_operator.targets.web import Dropped

SECONDS = 5.0

T = TypeVar("T")


async def some(lake: Lake, items: Iterable[T], act: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """For one after the other, a few at a time, until the seconds are over; at least for `at_once`.

    Raises the first failure when all have ended. Whether what was dropped had its effect the next look tells.
    """
    left, end = iter(items), lake.clock() + SECONDS

    async def work() -> None:
        for item in left:
            with suppress(Dropped):
                await act(item)
            if lake.clock() >= end:
                break

    async with lake.http.many():
        results = await asyncio.gather(*(work() for _ in range(at_once)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
