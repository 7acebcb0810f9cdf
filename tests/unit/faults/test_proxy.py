"""What the caller sees and what the server did, for each fault."""

from __future__ import annotations

import asyncio
import json
import queue

import aiohttp
import pytest

from tests.faults.rig import faults
from tests.faults.rig.calls import Call, of_objects, without
from tests.faults.rig.proxy import Answer, Fault, Rule, at
from tests.faults.rig.streams import Recording, Valve, followed_by, through
from tests.unit.faults.conftest import Behind

KEY = "POST /things"


async def test_without_rules_nothing_differs(behind: Behind) -> None:
    assert await behind.post("a") == (201, {"count": 1})
    assert behind.server.made == ["a"]
    assert [str(call) for call in behind.proxy.journal] == ["POST /things #1"]
    assert behind.proxy.journal[0].done
    assert behind.server.hosts == [behind.proxy.url.removeprefix("https://")]


async def test_occurrences_are_counted_by_key_and_from_the_mark(behind: Behind) -> None:
    await behind.post()
    await behind.post(path="/others")
    assert behind.proxy.mark() == 2
    await behind.post()
    await behind.post()
    assert [str(call) for call in behind.proxy.journal[2:]] == ["POST /things #1", "POST /things #2"]


async def test_a_rule_is_for_one_call(behind: Behind) -> None:
    rule = Rule(at(KEY, 2), faults.status(503), "503")
    with behind.proxy.failing(rule):
        seen = [(await behind.post())[0] for _ in range(3)]
    assert seen == [201, 503, 201]
    assert [call.fault for call in behind.proxy.journal] == ["", "503", ""]
    assert [call.nth for call in rule.hit] == [2]
    assert behind.proxy.rules == []


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("reset before", 0),
        ("reset committed", 1),
        ("reset inside", 1),
        ("timeout committed", 1),
        ("trickle", 1),
    ],
)
async def test_no_answer_arrives(behind: Behind, name: str, made: int) -> None:
    with behind.proxy.failing(Rule(at(KEY), faults.EXTERNAL[name])):
        with pytest.raises((aiohttp.ClientError, TimeoutError)):
            async with asyncio.timeout(1):
                await behind.post()
        assert len(behind.server.made) == made
        # the fault is over, and the proxy with it at ease
        assert await behind.post() == (201, {"count": made + 1})


@pytest.mark.parametrize(
    ("name", "status", "made"),
    [("503 before", 503, 0), ("429", 429, 0), ("401", 401, 0), ("409", 409, 0), ("500 committed", 500, 1)],
)
async def test_another_answer_arrives(behind: Behind, name: str, status: int, made: int) -> None:
    with behind.proxy.failing(Rule(at(KEY), faults.EXTERNAL[name])):
        assert (await behind.post())[0] == status
    assert len(behind.server.made) == made


@pytest.mark.parametrize(("name", "made"), [("html", 0), ("truncated", 1)])
async def test_no_json_arrives(behind: Behind, name: str, made: int) -> None:
    with behind.proxy.failing(Rule(at(KEY), faults.EXTERNAL[name])), pytest.raises(json.JSONDecodeError):
        await behind.post()
    assert len(behind.server.made) == made


async def test_an_answer_can_be_huge(behind: Behind) -> None:
    with behind.proxy.failing(Rule(at(KEY), faults.EXTERNAL["huge"])):
        async with behind.caller() as session, session.post("/things") as answer:
            assert len(await answer.read()) > 10 << 20


@pytest.mark.parametrize(
    ("fault", "made", "answered"),
    [(faults.kill_before, 0, False), (faults.kill_committed, 1, False), (faults.kill_answered, 1, True)],
)
async def test_the_caller_is_killed_at_that_moment(
    behind: Behind, fault: Fault, made: int, answered: bool
) -> None:
    dead: queue.Queue[int] = queue.Queue()
    behind.proxy.kill = lambda: dead.put(len(behind.server.made))
    with behind.proxy.failing(Rule(at(KEY), fault)):
        if answered:
            assert await behind.post() == (201, {"count": 1})
        else:
            with pytest.raises(aiohttp.ClientError):
                await behind.post()
    assert await asyncio.to_thread(dead.get, timeout=10) == made


async def test_an_old_answer_can_be_given_again(behind: Behind) -> None:
    old = Answer(200, {"Content-Type": "application/json"}, b'{"count":0}')
    await behind.post()
    with behind.proxy.failing(Rule(at("GET /things"), faults.answered(old))):
        async with behind.caller() as session:
            counts = [(await (await session.get("/things")).json())["count"] for _ in range(2)]
    assert counts == [0, 1]


async def _take(behind: Behind, number: int) -> list[bytes]:
    async with behind.caller() as session, session.get("/watch") as answer:
        return [await answer.content.readline() for _ in range(number)]


async def test_a_stream_arrives_as_it_comes(behind: Behind) -> None:
    behind.server.lines += [b"1\n", b"2\n"]
    assert await _take(behind, 2) == [b"1\n", b"2\n"]


async def test_lines_are_dropped_and_held(behind: Behind) -> None:
    valve = Valve(drop=lambda line: line == b"2\n", hold=lambda line: line == b"1\n")
    behind.server.lines += [b"1\n", b"2\n", b"3\n"]
    with behind.proxy.failing(Rule(at("GET /watch"), through(valve.tap), times=9)):
        async with behind.caller() as session, session.get("/watch") as answer:
            assert await answer.content.readline() == b"3\n"
            valve.let_go()
            assert await answer.content.readline() == b"1\n"
            behind.server.lines.append(b"1\n")
            assert await answer.content.readline() == b"1\n"
    assert (valve.dropped, valve.held) == ([b"2\n"], [b"1\n"])


async def test_a_stream_can_be_silent_and_closed(behind: Behind) -> None:
    valve = Valve(silent=True)
    behind.server.lines.append(b"1\n")
    with behind.proxy.failing(Rule(at("GET /watch"), through(valve.tap))):
        async with behind.caller() as session, session.get("/watch") as answer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await answer.content.readline()
            valve.closed = True
            assert await answer.content.read() == b""


async def test_the_past_is_told_again_once(behind: Behind) -> None:
    past = Recording()
    behind.server.lines += [b"1\n", b"2\n"]
    with behind.proxy.failing(Rule(at("GET /watch"), through(past.tap))):
        await _take(behind, 2)
    assert past.lines == [b"1\n", b"2\n"]
    with behind.proxy.failing(Rule(lambda _: True, through(followed_by(past.lines, after=2)), times=2)):
        assert await _take(behind, 4) == [b"1\n", b"2\n", b"1\n", b"2\n"]
        assert await _take(behind, 2) == [b"1\n", b"2\n"]


def test_names_are_the_same_in_every_run() -> None:
    assert without(r"(?<=/reg/)[^/]+")(Call(1, "PUT", "/reg/x7")) == "/reg/*"
    made = Call(1, "POST", "/api/v1/namespaces/a/secrets", body=b'{"metadata":{"name":"login"}}')
    assert of_objects(made) == "/api/v1/namespaces/a/secrets/login"
    assert (
        of_objects(Call(1, "POST", "/api/v1/namespaces/a/events", body=b"{}")) == "/api/v1/namespaces/a/events"
    )
    assert of_objects(Call(1, "PATCH", "/api/v1/namespaces/a")) == "/api/v1/namespaces/a"
