import asyncio
import time

import pytest

from vre_operator.runtime.metered import Metered


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_steps_count_and_waiting_and_others_do_not() -> None:
    async def work() -> str:
        burn(0.02)
        await asyncio.sleep(0.05)
        burn(0.02)
        return "done"

    async def other() -> None:
        burn(0.5)

    metered = Metered(work())
    beside = asyncio.create_task(other())
    assert await metered == "done"
    await beside
    assert 0.04 <= metered.cpu < 0.3


async def test_an_error_comes_out_and_what_it_took_is_known() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        burn(0.02)
        raise ValueError("no")

    metered = Metered(work())
    with pytest.raises(ValueError, match="no"):
        await metered
    assert metered.cpu >= 0.02


async def test_a_cancellation_reaches_the_work_which_may_clean_up_and_wait() -> None:
    seen = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    async def run() -> None:
        await Metered(work())

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned up"]


async def test_what_the_work_catches_is_not_thrown_again() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            return f"late {await asyncio.sleep(0, 'but well')}"
        return ""

    assert await Metered(work()) == "late but well"
