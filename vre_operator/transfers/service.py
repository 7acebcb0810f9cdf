"""The REST interface. Its peer is Rucio alone, kept so by a NetworkPolicy: it asks nobody who they are."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import ValidationError

from vre_operator.transfers.jobs import OPEN, State, WantedJob
from vre_operator.transfers.store import DuplicateError, FileReport, FullError, JobReport, Store
from vre_operator.transfers.work import Workers

# A thousand files with ten sources and tokens of 2 kB each.
_BODY_LIMIT = 64 << 20
_PATIENCE = "30"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """The handlers. alive: what is wrong with the process, "" when nothing is."""

    def __init__(self, store: Store, workers: Workers, meters: Meters, alive: Callable[[], str]) -> None:
        self._store = store
        self._workers = workers
        self._meters = meters
        self._alive = alive

    def application(self) -> web.Application:
        """All routes that Rucio's daemons use, and two for whoever runs this."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.add_routes(
            [
                web.get("/", self.version),
                web.get("/whoami", self.whoami),
                web.post("/jobs", self.submit),
                web.get("/jobs/{ids}", self.query),
                web.get("/jobs/{ids}/files", self.files),
                web.post("/jobs/{ids}", self.modify),
                web.delete("/jobs/{ids}", self.cancel),
                web.get("/healthz", self.health),
                web.get("/metrics", self.metrics),
            ]
        )
        return app

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"api": {"major": 3, "minor": 12, "patch": 0}, "name": "vre transfers"})

    async def whoami(self, _: web.Request) -> web.Response:
        return web.json_response({"vos": ["vre"], "vos_id": [], "method": "none"})

    async def submit(self, request: web.Request) -> web.Response:
        try:
            wanted = WantedJob.model_validate_json(await request.read())
        except ValidationError as error:
            return _refusal(400, _first(error))
        try:
            job = self._store.submit(wanted)
        except DuplicateError as error:
            return _refusal(409, str(error))
        except FullError as error:
            return _refusal(503, str(error), {"Retry-After": _PATIENCE})
        self._workers.wake()
        return web.json_response({"job_id": job})

    async def query(self, request: web.Request) -> web.Response:
        ids = request.match_info["ids"].split(",")
        jobs = [_job(one, self._store.report(one)) for one in ids]
        found = [job for job in jobs if job["http_status"].startswith("200")]
        status = 200 if len(found) == len(jobs) else 207 if found else 404
        return web.json_response(jobs[0] if len(ids) == 1 and found else jobs, status=status)

    async def files(self, request: web.Request) -> web.Response:
        report = self._store.report(request.match_info["ids"])
        if report is None:
            return _refusal(404, "No such job")
        return web.json_response([_file(one) for one in report.files])

    async def modify(self, request: web.Request) -> web.Response:
        try:
            priority = int((await request.json())["params"]["priority"])
        except (ValueError, KeyError, TypeError):
            return _refusal(400, "Only {params: {priority: number}} can be changed")
        report = self._store.prioritise(request.match_info["ids"], priority)
        return _told(request.match_info["ids"], report)

    async def cancel(self, request: web.Request) -> web.Response:
        job = request.match_info["ids"]
        report = self._store.cancel(job)
        self._workers.stop(job)
        return _told(job, report)

    async def health(self, _: web.Request) -> web.Response:
        wrong = self._alive()
        return web.Response(status=503 if wrong else 200, text=wrong or "ok")

    async def metrics(self, _: web.Request) -> web.Response:
        self._meters.collect(self._store, self._workers)
        text = generate_latest(self._meters.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


class Meters:
    """What is counted. No label takes a name that a tenant chooses."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._files = Gauge(
            "vre_transfer_files", "Files in the queue, by state", ("state",), registry=self.registry
        )
        self._running = Gauge("vre_transfer_running", "Copies that run just now", registry=self.registry)
        self._ended = Counter(
            "vre_transfer_copies", "Copies that ended, by state", ("state",), registry=self.registry
        )
        self._bytes = Counter("vre_transfer_bytes", "Bytes copied", registry=self.registry)

    def told(self, state: State, size: int) -> None:
        """A copy ended."""
        self._ended.labels(state.value).inc()
        if state is State.FINISHED:
            self._bytes.inc(size)

    def collect(self, store: Store, workers: Workers) -> None:
        """Set what is counted only when somebody asks."""
        counts = store.counts()
        for state in OPEN:
            self._files.labels(state.value).set(counts.get(state, 0))
        self._running.set(workers.running)


def _job(identity: str, report: JobReport | None) -> dict[str, Any]:
    if report is None:
        return {"job_id": identity, "http_status": "404 Not Found", "http_message": f"No job {identity}"}
    return {
        "job_id": report.id,
        "http_status": "200 Ok",
        "job_state": report.state.value,
        "job_type": "H" if report.params.multihop else "N",
        "job_metadata": report.params.job_metadata,
        "priority": report.priority,
        "submit_time": _time(report.submitted),
        "files": [_file(one) for one in report.files],
    }


def _file(report: FileReport) -> dict[str, Any]:
    # Every key has to be there: Rucio reads them without asking.
    return {
        "file_state": report.state.value,
        "source_surl": report.source or report.file.sources[0],
        "dest_surl": report.file.destination,
        "start_time": _time(report.started),
        "finish_time": _time(report.finished),
        "staging_start": None,
        "staging_finished": None,
        "reason": report.reason,
        "file_metadata": report.file.metadata,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _told(identity: str, report: JobReport | None) -> web.Response:
    return web.json_response(_job(identity, report), status=200 if report else 404)


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"status": status, "message": message}, status=status, headers=headers)


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, without the value: it may be a token."""
    one = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
