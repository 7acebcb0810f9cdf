"""The queue alone: order, bounds, what is forgotten, and what a new life finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vre_operator.transfers.jobs import State, WantedJob, job_state
from vre_operator.transfers.store import DuplicateError, FullError, Store, Task

DAY = 86_400.0


class Clock:
    """Moves when it is told to, and a little with each reading."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    made = Store(tmp_path / "queue", limit=10, clock=clock)
    yield made
    made.close()


def job(*names: str, host: str = "b.example.org", **params: Any) -> WantedJob:
    files = [
        {
            "sources": [f"davs://a.example.org/{name}"],
            "destinations": [f"davs://{host}/{name}"],
            "metadata": {"request_id": name},
            "source_tokens": [f"token of {name}"],
            "destination_tokens": [f"token for {name}"],
        }
        for name in names
    ]
    return WantedJob.model_validate({"files": files, "params": params})


def claimed(store: Store, *full: str) -> Task:
    task = store.claim(full)
    assert task is not None
    return task


def name(task: Task) -> str:
    return str(task.file.metadata["request_id"])


def test_the_urgent_and_then_the_old_come_first(store: Store) -> None:
    for wanted in (job("old"), job("new"), job("urgent", priority=5)):
        store.submit(wanted)
    assert [name(claimed(store)) for _ in range(3)] == ["urgent", "old", "new"]
    assert store.claim(()) is None


def test_a_changed_priority_counts(store: Store) -> None:
    store.submit(job("first"))
    second = store.submit(job("second"))
    report = store.prioritise(second, 5)
    assert report is not None
    assert report.priority == 5
    assert name(claimed(store)) == "second"
    assert store.prioritise("unknown", 5) is None


def test_a_full_storage_holds_nobody_else_up(store: Store) -> None:
    store.submit(job("one", "two", host="full.example.org"))
    store.submit(job("other"))
    assert name(claimed(store, "full.example.org")) == "other"
    assert store.claim({"full.example.org"}) is None


def test_tokens_come_with_the_task_and_are_gone_with_its_end(store: Store, tmp_path: Path) -> None:
    store.submit(job("one"))
    task = claimed(store)
    assert task.file.source_tokens == ("token of one",)
    assert task.file.destination_tokens == ("token for one",)
    assert "token" not in repr(task)
    store.finish(task, State.FINISHED, reason=None, source=task.file.sources[0])
    with sqlite3.connect(tmp_path / "queue") as database:
        assert database.execute("SELECT tokens FROM file").fetchall() == [(None,)]


def test_the_queue_is_for_its_owner_alone(tmp_path: Path, store: Store) -> None:
    del store
    assert (tmp_path / "queue").stat().st_mode & 0o077 == 0


def test_the_same_request_is_one_job_and_another_for_the_same_place_is_refused(store: Store) -> None:
    first = store.submit(job("one", "two"))
    assert store.submit(job("one", "two")) == first
    other = job("one")
    other.files[0].metadata["request_id"] = "other"
    with pytest.raises(DuplicateError, match=first):
        store.submit(other)
    for _ in range(2):
        store.finish(claimed(store), State.FAILED, reason="no", source=None)
    assert store.submit(job("one", "two")) != first, "asked again after it failed"


def test_the_limit_counts_what_is_to_be_done(store: Store) -> None:
    store.submit(job(*(str(number) for number in range(9))))
    with pytest.raises(FullError, match="9 files wait, and no more than 10 may"):
        store.submit(job("ten", "eleven"))
    store.finish(claimed(store), State.FINISHED, reason=None, source=None)
    store.submit(job("ten", "eleven"))


def test_a_new_life_begins_again_what_was_under_way(store: Store, tmp_path: Path, clock: Clock) -> None:
    identity = store.submit(job("one"))
    assert not claimed(store).begun
    again = Store(tmp_path / "queue", limit=10, clock=clock)
    task = claimed(again)
    assert (task.job, task.begun) == (identity, True)
    again.close()


def test_what_was_broken_off_waits_again(store: Store) -> None:
    store.submit(job("one"))
    store.give_back(claimed(store))
    assert claimed(store).begun


def test_a_canceled_job_stays_canceled(store: Store) -> None:
    identity = store.submit(job("one", "two", "three"))
    running, done = claimed(store), claimed(store)
    store.finish(done, State.FINISHED, reason=None, source=None)
    report = store.cancel(identity)
    assert report is not None
    assert [one.state for one in report.files] == [State.CANCELED, State.FINISHED, State.CANCELED]
    store.finish(running, State.FINISHED, reason=None, source=None)
    store.give_back(running)
    report = store.report(identity)
    assert report is not None
    assert report.files[0].state is State.CANCELED
    assert report.state is State.FINISHEDDIRTY
    assert store.cancel("unknown") is None


def test_hops_wait_for_each_other(store: Store) -> None:
    identity = store.submit(job("one", "two", "three", multihop=True))
    first = claimed(store)
    assert (name(first), store.claim(())) == ("one", None)
    store.finish(first, State.FINISHED, reason=None, source=None)
    second = claimed(store)
    store.finish(second, State.FAILED, reason="no", source=None)
    report = store.report(identity)
    assert report is not None
    assert [one.state for one in report.files] == [State.FINISHED, State.FAILED, State.NOT_USED]
    assert store.claim(()) is None


def test_what_is_done_is_forgotten_in_time(store: Store, clock: Clock) -> None:
    done, waiting = store.submit(job("done")), store.submit(job("waiting"))
    store.finish(claimed(store), State.FINISHED, reason=None, source=None)
    clock.now += 6 * DAY
    assert store.purge(7 * DAY) == 0
    clock.now += 2 * DAY
    assert store.purge(7 * DAY) == 1
    assert store.report(done) is None
    assert store.report(waiting) is not None


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ("SUBMITTED", "SUBMITTED"),
        ("SUBMITTED FINISHED", "ACTIVE"),
        ("ACTIVE FAILED", "ACTIVE"),
        ("FINISHED FINISHED", "FINISHED"),
        ("FINISHED FAILED", "FINISHEDDIRTY"),
        ("FINISHED CANCELED", "FINISHEDDIRTY"),
        ("FAILED NOT_USED", "FAILED"),
        ("FAILED CANCELED", "FAILED"),
        ("CANCELED CANCELED", "CANCELED"),
    ],
)
def test_a_job_s_state_follows_from_its_files(files: str, state: str) -> None:
    assert job_state([State(one) for one in files.split()]) is State(state)
