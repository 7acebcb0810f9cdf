"""Work that takes minutes, some seconds of it at a time: a walk ends soon, tells how far it is, and waits for
nothing that takes as long beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

SECONDS = 5.0

T = TypeVar("T")


async def some(
    items: Iterable[T], act: Callable[[T], Awaitable[None]], *, at_once: int, clock: Callable[[], float]
) -> None:
    """For one after the other, a few at a time, until the seconds are over; at least for `at_once`.

    Raises the first failure when all have ended.
    """
    left, end = iter(items), clock() + SECONDS

    async def work() -> None:
        for item in left:
            await act(item)
            if clock() >= end:
                break

    for result in await asyncio.gather(*(work() for _ in range(at_once)), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
