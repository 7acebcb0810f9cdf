"""The queue, in one SQLite file: what was accepted is done although the process dies at any moment.

Every method is one transaction. Tokens are in the file as long as they are needed and no longer.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yarl import URL

from vre_operator.transfers.jobs import OPEN, Params, State, WantedFile, WantedJob, job_state

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, submitted REAL NOT NULL, priority INTEGER NOT NULL, params TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS file (
    job TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE, position INTEGER NOT NULL, state TEXT NOT NULL,
    wish TEXT NOT NULL, tokens TEXT, destination TEXT NOT NULL, host TEXT NOT NULL, request TEXT NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0, reason TEXT, source TEXT, started REAL, finished REAL,
    PRIMARY KEY (job, position)
);
CREATE INDEX IF NOT EXISTS file_by_state ON file (state);
CREATE INDEX IF NOT EXISTS file_by_destination ON file (destination);
"""
_LOOK_AHEAD = 500


class FullError(Exception):
    """The queue takes no more for now."""


class DuplicateError(Exception):
    """Another job writes to the same place."""


@dataclass(frozen=True, slots=True)
class Task:
    """A copy to be made. begun: an earlier attempt may have left something at the destination."""

    job: str
    position: int
    file: WantedFile = field(repr=False)
    params: Params
    host: str
    begun: bool


@dataclass(frozen=True, slots=True)
class FileReport:
    """What is known of a file. Times are seconds since the epoch."""

    state: State
    file: WantedFile = field(repr=False)
    reason: str | None
    source: str | None
    started: float | None
    finished: float | None


@dataclass(frozen=True, slots=True)
class JobReport:
    """What is known of a job."""

    id: str
    submitted: float
    priority: int
    params: Params
    files: tuple[FileReport, ...]

    @property
    def state(self) -> State:
        return job_state([one.state for one in self.files])


class Store:
    """limit: files that may wait or run at once. clock: seconds since the epoch."""

    def __init__(self, path: Path, *, limit: int, clock: Callable[[], float]) -> None:
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; {_SCHEMA}"
        )
        self._limit = limit
        self._clock = clock
        with self._transaction() as database:
            database.execute("UPDATE file SET state = 'SUBMITTED' WHERE state = 'ACTIVE'")

    def close(self) -> None:
        self._database.close()

    def submit(self, wanted: WantedJob) -> str:
        """Accept a job; the id of the one that is there where the same was asked for before.

        Raises FullError, DuplicateError.
        """
        with self._transaction() as database:
            if before := self._asked_before(database, wanted):
                return before
            ((waiting,),) = database.execute(
                "SELECT count(*) FROM file WHERE state IN ('SUBMITTED', 'ACTIVE')"
            ).fetchall()
            if waiting + len(wanted.files) > self._limit:
                raise FullError(f"{waiting} files wait, and no more than {self._limit} may")
            job = str(uuid.uuid4())
            database.execute(
                "INSERT INTO job VALUES (?, ?, ?, ?)",
                (job, self._clock(), wanted.params.priority, wanted.params.model_dump_json()),
            )
            database.executemany(
                "INSERT INTO file (job, position, state, wish, tokens, destination, host, request)"
                " VALUES (?, ?, 'SUBMITTED', ?, ?, ?, ?, ?)",
                [(job, position, *_row(file)) for position, file in enumerate(wanted.files)],
            )
            return job

    def _asked_before(self, database: sqlite3.Connection, wanted: WantedJob) -> str | None:
        """Rucio asks again when the answer was lost."""
        jobs = set()
        for file in wanted.files:
            rows = database.execute(
                "SELECT job, request FROM file WHERE destination = ? AND state IN ('SUBMITTED', 'ACTIVE')",
                (file.destination,),
            ).fetchall()
            if not rows:
                return None
            for job, request in rows:
                if request != _request(file):
                    raise DuplicateError(f"{_host(file.destination)}: job {job} writes to the same place")
                jobs.add(job)
        return jobs.pop() if len(jobs) == 1 else None

    def claim(self, full: Collection[str]) -> Task | None:
        """The next copy to make, marked as begun; none for the hosts that are `full`."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT file.job, position, wish, tokens, host, begun, params FROM file JOIN job ON id = job"
                " WHERE state = 'SUBMITTED' ORDER BY priority DESC, submitted, position LIMIT ?",
                (_LOOK_AHEAD,),
            ).fetchall()
            for job, position, wish, tokens, host, begun, params in rows:
                parsed = Params.model_validate_json(params)
                if host in full or (parsed.multihop and not self._hop_is_due(database, job, position)):
                    continue
                database.execute(
                    "UPDATE file SET state = 'ACTIVE', begun = 1, started = ? WHERE job = ? AND position = ?",
                    (self._clock(), job, position),
                )
                return Task(job, position, _file(wish, tokens), parsed, host, bool(begun))
        return None

    @staticmethod
    def _hop_is_due(database: sqlite3.Connection, job: str, position: int) -> bool:
        ((left,),) = database.execute(
            "SELECT count(*) FROM file WHERE job = ? AND position < ? AND state != 'FINISHED'", (job, position)
        ).fetchall()
        return not left

    def finish(self, task: Task, state: State, *, reason: str | None, source: str | None) -> None:
        """What became of a copy. Nothing happens when the job was canceled meanwhile."""
        with self._transaction() as database:
            done = database.execute(
                "UPDATE file SET state = ?, reason = ?, source = ?, finished = ?, tokens = NULL"
                " WHERE job = ? AND position = ? AND state = 'ACTIVE'",
                (state, reason, source, self._clock(), task.job, task.position),
            )
            if done.rowcount and state is not State.FINISHED and task.params.multihop:
                database.execute(
                    "UPDATE file SET state = 'NOT_USED', finished = ?, tokens = NULL"
                    " WHERE job = ? AND state = 'SUBMITTED'",
                    (self._clock(), task.job),
                )

    def give_back(self, task: Task) -> None:
        """A copy that was broken off by our own end."""
        with self._transaction() as database:
            database.execute(
                "UPDATE file SET state = 'SUBMITTED' WHERE job = ? AND position = ? AND state = 'ACTIVE'",
                (task.job, task.position),
            )

    def cancel(self, job: str) -> JobReport | None:
        """End a job; files that are done stay done."""
        with self._transaction() as database:
            database.execute(
                "UPDATE file SET state = 'CANCELED', reason = 'Canceled by the client', finished = ?,"
                " tokens = NULL WHERE job = ? AND state IN ('SUBMITTED', 'ACTIVE')",
                (self._clock(), job),
            )
        return self.report(job)

    def prioritise(self, job: str, priority: int) -> JobReport | None:
        with self._transaction() as database:
            database.execute("UPDATE job SET priority = ? WHERE id = ?", (priority, job))
        return self.report(job)

    def report(self, job: str) -> JobReport | None:
        """What is known of a job; None when nothing is."""
        found = self._database.execute(
            "SELECT submitted, priority, params FROM job WHERE id = ?", (job,)
        ).fetchone()
        if found is None:
            return None
        rows = self._database.execute(
            "SELECT state, wish, reason, source, started, finished FROM file WHERE job = ? ORDER BY position",
            (job,),
        )
        files = tuple(
            FileReport(State(state), _file(wish, None), *rest) for state, wish, *rest in rows.fetchall()
        )
        return JobReport(job, found[0], found[1], Params.model_validate_json(found[2]), files)

    def purge(self, seconds: float) -> int:
        """Forget jobs that are done and older than `seconds`; how many."""
        with self._transaction() as database:
            done = database.execute(
                "DELETE FROM job WHERE submitted < ? AND NOT EXISTS"
                " (SELECT 1 FROM file WHERE job = id AND (state IN ('SUBMITTED', 'ACTIVE') OR finished > ?))",
                (self._clock() - seconds, self._clock() - seconds),
            )
            return done.rowcount

    def counts(self) -> dict[State, int]:
        """Files by state."""
        rows = self._database.execute("SELECT state, count(*) FROM file GROUP BY state")
        return {State(state): number for state, number in rows.fetchall()}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def open_states(report: JobReport) -> bool:
    """Whether something of the job is still to be done."""
    return any(one.state in OPEN for one in report.files)


def _row(file: WantedFile) -> Sequence[Any]:
    tokens = {"source_tokens": file.source_tokens, "destination_tokens": file.destination_tokens}
    wish = file.model_dump_json(exclude=set(tokens))
    return wish, json.dumps(tokens), file.destination, _host(file.destination), _request(file)


def _file(wish: str, tokens: str | None) -> WantedFile:
    return WantedFile.model_validate({**json.loads(wish), **json.loads(tokens or "{}")})


def _host(url: str) -> str:
    return URL(url, encoded=True).host or ""


def _request(file: WantedFile) -> str:
    return str(file.metadata.get("request_id", ""))
