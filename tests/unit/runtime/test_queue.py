import asyncio

from vre_operator.runtime.queue import TURN, WorkQueue


async def soon(queue: WorkQueue[str]) -> str:
    return await asyncio.wait_for(queue.take(), 1)


async def test_a_key_that_is_due_twice_comes_once_in_order() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await soon(queue), await soon(queue)] == ["a", "b"]
    assert queue.depth == 0


async def test_a_key_is_never_worked_on_twice_at_once_and_no_wake_is_lost() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await soon(queue)
    queue.add("a")
    queue.add("a")
    assert queue.depth == 0
    queue.done("a")
    assert await soon(queue) == "a"
    queue.done("a")
    assert queue.idle


async def test_sooner_wins_over_later() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    assert await soon(queue) == "a"
    queue.done("a")
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)
    assert await soon(queue) == "a"
    queue.add_after("b", 60)
    queue.add("b")
    assert await soon(queue) == "b"
    queue.done("b")
    await asyncio.sleep(0.02)
    assert queue.depth == 0, "the timer of an added key is gone"


async def test_a_forgotten_key_does_not_come_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.01)
    queue.forget("a")
    await asyncio.sleep(0.03)
    assert queue.idle


async def test_age_is_that_of_the_oldest() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert queue.oldest_age() == 0
    queue.add("a")
    await asyncio.sleep(0.02)
    queue.add("b")
    assert queue.oldest_age() >= 0.02


async def test_a_key_that_is_woken_all_the_time_is_held_to_a_rate() -> None:
    queue: WorkQueue[str] = WorkQueue(burst=3, rate=20)
    turns = 0
    for _ in range(40):
        queue.add("hot")
        if queue.depth:
            turns += 1
            queue.done(await soon(queue))
    assert turns == 3
    queue.add("calm")
    assert await soon(queue) == "calm"
    assert await soon(queue) == "hot", "held back is not forgotten"


async def test_a_turn_that_took_long_counts_as_several_and_has_an_end() -> None:
    queue: WorkQueue[str] = WorkQueue(burst=3, rate=20)
    queue.add("cheap")
    queue.done(await soon(queue), cpu=TURN / 2)
    queue.add("cheap")
    assert queue.depth == 1, "two of three"
    queue.done(await soon(queue))
    began = asyncio.get_running_loop().time()
    queue.add("dear")
    queue.done(await soon(queue), cpu=1000 * TURN)
    queue.add("dear")
    assert queue.depth == 0, "all of its turns and more"
    assert await soon(queue) == "dear"
    assert asyncio.get_running_loop().time() - began >= 2 / 20


async def test_what_was_begun_goes_before_what_is_new_three_to_one() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abcd":
        queue.add(key)
        queue.done(await soon(queue), finished=False)
    for key in ("n1", "n2", *"abcd"):
        queue.add(key)
    assert [await soon(queue) for _ in range(6)] == ["a", "b", "c", "n1", "d", "n2"]


async def test_a_finished_key_is_new_again() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.done(await soon(queue), finished=True)
    for key in ("n", "a"):
        queue.add(key)
    assert await soon(queue) == "n"


async def test_a_repair_goes_before_a_crowd_that_comes_and_goes() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for number in range(100):
        queue.add(f"leaving-{number}")
        queue.done(await soon(queue), finished=False)
    for number in range(100):
        queue.add(f"leaving-{number}")
        queue.add(f"coming-{number}")
    queue.add("calm", repair=True)
    assert await soon(queue) == "calm"


async def test_a_repair_that_is_wanted_during_a_pass_is_one_after_it() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("calm")
    await soon(queue)
    queue.add("calm", repair=True)
    queue.add("calm")
    queue.add("new")
    queue.done("calm")
    assert [await soon(queue), await soon(queue)] == ["calm", "new"]


async def test_what_is_half_made_is_no_repair() -> None:
    """The news of its own objects does not carry it past the others."""
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b"):
        queue.add(key)
        queue.done(await soon(queue), finished=False)
    queue.add("a")
    queue.add("b", repair=True)
    queue.add("calm", repair=True)
    assert [await soon(queue) for _ in range(3)] == ["calm", "a", "b"]


async def test_many_repairs_leave_every_fourth_turn_to_others() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abcdef":
        queue.add(key, repair=True)
    for key in ("n1", "n2"):
        queue.add(key)
    assert [await soon(queue) for _ in range(8)] == ["a", "b", "c", "n1", "d", "e", "f", "n2"]
