"""Copies between two real storages: what comes of them, and what is left when they fail."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from tests.transfers.conftest import SILENCE, Service, until, wanted
from tests.transfers.grid import Grid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CONTENT = b"measured twice " * 1000
CHECKED = {"verify_checksum": "both", "overwrite": True}


def why(told: dict[str, Any]) -> str:
    """Why the only file of a job failed."""
    (file,) = told["files"]
    assert (told["job_state"], file["file_state"]) == ("FAILED", "FAILED")
    return str(file["reason"])


async def test_a_file_is_copied_and_told_as_rucio_reads_it(service: Service) -> None:
    grid = service.grid
    grid.put(0, "deep/er/one", CONTENT)
    wish = wanted(grid, "deep/er/one", CONTENT)
    told = await service.copied(wish, **CHECKED, job_metadata={"issuer": "rucio"})
    assert grid.file(1, "deep/er/one").read_bytes() == CONTENT
    (file,) = told["files"]
    assert told["job_state"] == "FINISHED"
    assert told["http_status"] == "200 Ok"
    assert told["job_metadata"] == {"issuer": "rucio"}
    assert file["file_metadata"] == wish["metadata"]
    assert (file["source_surl"], file["dest_surl"]) == (wish["sources"][0], wish["destinations"][0])
    for moment in ("start_time", "finish_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", file[moment])
    assert file["staging_start"] is file["staging_finished"] is file["reason"] is None


async def test_tokens_are_neither_logged_nor_kept(service: Service) -> None:
    grid = service.grid
    grid.put(0, "secret", CONTENT)
    wish = wanted(grid, "secret", CONTENT)
    wrong = wanted(grid, "secret2", CONTENT)
    await service.copied(wish, **CHECKED)
    told = await service.copied(wrong, **CHECKED)
    assert service.secrets() == []
    for token in (*wish["source_tokens"], *wish["destination_tokens"], *wrong["destination_tokens"]):
        assert token not in service.log
        assert token not in str(told)
    assert "Bearer" not in service.log


async def test_what_is_not_there_is_told(service: Service) -> None:
    reason = why(await service.copied(wanted(service.grid, "nowhere", CONTENT), **CHECKED))
    assert reason == "TRANSFER Source file is not there: a.grid.example.org answers 404"
    assert not service.grid.file(1, "nowhere").exists()


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("shorter", CONTENT[:-1], r"Source has 14999 bytes instead of 15000"),
        ("other", CONTENT[:-1] + b"!", r"Source has the adler32 checksum [0-9a-f]{8} instead of "),
    ],
)
async def test_a_source_that_is_not_the_file_is_not_copied(
    service: Service, name: str, found: bytes, words: str
) -> None:
    service.grid.put(0, name, found)
    reason = why(await service.copied(wanted(service.grid, name, CONTENT), **CHECKED))
    assert re.search(words, reason)
    assert not service.grid.file(1, name).exists()


async def test_what_arrives_wrong_is_removed(service: Service) -> None:
    """Only the destination is verified: the wrong source is found out when the copy is read back."""
    service.grid.put(0, "bent", CONTENT[:-1] + b"!")
    told = await service.copied(wanted(service.grid, "bent", CONTENT), verify_checksum="target", overwrite=True)
    assert "Destination has the adler32 checksum" in why(told)
    assert not service.grid.file(1, "bent").exists()


@pytest.mark.parametrize("end", ["source", "destination"])
async def test_a_token_that_does_not_permit_it_is_told(service: Service, end: str) -> None:
    grid = service.grid
    name = f"forbidden-{end}"
    grid.put(0, name, CONTENT)
    wish = wanted(grid, name, CONTENT)
    wish[f"{end}_tokens"] = [grid.token(1 if end == "source" else 0)]
    reason = why(await service.copied(wish, **CHECKED))
    host = {"source": "Source a.grid", "destination": "Destination b.grid"}[end]
    assert reason.startswith(f"TRANSFER {host}.example.org answers 403")
    assert not grid.file(1, name).exists()


async def test_another_source_is_tried(service: Service) -> None:
    grid = service.grid
    grid.put(0, "second", CONTENT)
    wish = wanted(grid, "second", CONTENT)
    wish["sources"] = [grid.url(0, "first"), grid.url(0, "second")]
    wish["source_tokens"] = [grid.token(0, "read")] * 2
    told = await service.copied(wish, **CHECKED)
    assert told["job_state"] == "FINISHED"
    assert told["files"][0]["source_surl"] == grid.url(0, "second")


async def test_what_is_there_is_kept_unless_it_may_be_overwritten(service: Service) -> None:
    grid = service.grid
    grid.put(0, "kept", CONTENT)
    grid.put(1, "kept", b"older")
    wish = wanted(grid, "kept", CONTENT)
    reason = why(await service.copied(wish, verify_checksum="both", overwrite=False))
    assert reason == "TRANSFER Destination file exists and overwrite is not enabled"
    assert grid.file(1, "kept").read_bytes() == b"older"
    assert (await service.copied(wish, **CHECKED))["job_state"] == "FINISHED"
    assert grid.file(1, "kept").read_bytes() == CONTENT


async def test_the_file_that_is_there_already_is_not_copied_again(service: Service) -> None:
    grid = service.grid
    grid.put(0, "twin", CONTENT)
    grid.put(1, "twin", CONTENT)
    before = grid.file(1, "twin").stat()
    wish = wanted(grid, "twin", CONTENT)
    told = await service.copied(wish, verify_checksum="both", overwrite=False)
    assert told["job_state"] == "FINISHED"
    assert grid.file(1, "twin").stat().st_ino == before.st_ino


async def test_a_chain_of_hops_goes_in_order_and_ends_at_the_first_that_breaks(service: Service) -> None:
    grid = service.grid
    grid.put(0, "hop", CONTENT)
    first = wanted(grid, "hop", CONTENT)
    second = wanted(grid, "hop2", CONTENT) | {
        "sources": [grid.url(1, "hop")],
        "destinations": [grid.url(0, "hop2")],
        "source_tokens": [grid.token(1, "read")],
        "destination_tokens": [grid.token(0)],
    }
    told = await service.copied(first, second, **CHECKED, multihop=True)
    assert (told["job_state"], told["job_type"]) == ("FINISHED", "H")
    assert grid.file(0, "hop2").read_bytes() == CONTENT

    broken = wanted(grid, "gone", CONTENT)
    told = await service.copied(broken, second, **CHECKED, multihop=True)
    assert told["job_state"] == "FAILED"
    assert [one["file_state"] for one in told["files"]] == ["FAILED", "NOT_USED"]


async def test_an_answer_that_was_lost_makes_no_second_job(service: Service) -> None:
    grid = service.grid
    grid.signal(0, signal.SIGSTOP)
    try:
        wish = wanted(grid, "asked-twice", CONTENT)
        first = await service.submit(wish, **CHECKED)
        assert await service.submit(wish, **CHECKED) == first
        another = wish | {"metadata": {"request_id": "another"}}
        status, told = await service.ask("POST", "/jobs", {"files": [another], "params": {}})
        assert status == 409
        assert first in told["message"]
    finally:
        grid.signal(0, signal.SIGCONT)
    await service.ended(first)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sources": ["root://a.grid.example.org//file"]}, "files.0.sources.0"),
        ({"sources": []}, "files.0.sources"),
        (
            {"destinations": ["https://b.grid.example.org/one", "https://b.grid.example.org/two"]},
            "destinations",
        ),
        ({"checksum": "no checksum"}, "checksum"),
        ({"source_tokens": ["secret", "of-two"]}, "files.0"),
    ],
)
async def test_nonsense_is_refused_by_name(service: Service, change: dict[str, Any], field: str) -> None:
    wish = wanted(service.grid, "nonsense", CONTENT) | change
    status, told = await service.ask("POST", "/jobs", {"files": [wish], "params": {}})
    assert status == 400
    assert field in told["message"]
    assert "secret" not in told["message"]
    assert wish["destination_tokens"][0] not in told["message"]


async def test_jobs_that_nobody_knows(service: Service) -> None:
    grid = service.grid
    grid.put(0, "known", CONTENT)
    job = await service.submit(wanted(grid, "known", CONTENT), **CHECKED)
    status, told = await service.ask("GET", "/jobs/unknown")
    assert (status, told[0]["http_status"]) == (404, "404 Not Found")
    status, told = await service.ask("GET", f"/jobs/unknown,{job}")
    assert status == 207
    assert [one["http_status"] for one in told] == ["404 Not Found", "200 Ok"]
    assert (await service.ask("DELETE", "/jobs/unknown"))[0] == 404


# --- ends ---------------------------------------------------------------------------------------------------

BIG = 300 << 20


@pytest.fixture(scope="module")
def big(storages: Grid) -> bytes:
    """So large that a copy takes seconds."""
    content = os.urandom(1 << 20) * (BIG >> 20)
    storages.put(0, "big", content)
    return content


def large(storages: Grid, content: bytes, name: str) -> dict[str, Any]:
    return wanted(storages, "big", content) | {
        "destinations": [storages.url(1, name)],
        "metadata": {"request_id": name},
    }


async def under_way(service: Service, content: bytes, name: str, **params: Any) -> str:
    """The job of a large copy when its first bytes are there.

    Asked for once more where it failed, as Rucio does: XRootD 5.5 now and then hangs after a copy that was
    broken off, and answers nothing until the kubelet starts it anew."""
    target = service.grid.file(1, name)
    params = CHECKED | params
    jobs = [await service.submit(large(service.grid, content, name), **params)]

    async def begun() -> bool:
        if (await service.job(jobs[-1]))["job_state"] == "FAILED":
            jobs.append(await service.submit(large(service.grid, content, name), **params))
        return target.exists() and target.stat().st_size > 0

    await until(begun)
    assert (await service.job(jobs[-1]))["job_state"] == "ACTIVE"
    return jobs[-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_new_life_ends_what_the_old_one_began(
    service: Service, big: bytes, number: signal.Signals
) -> None:
    name = f"life-{number.name.lower()}"
    job = await under_way(service, big, name, overwrite=False)
    code = service.end(number)
    target = service.grid.file(1, name)
    if number is signal.SIGTERM:
        assert code == 0, service.log
        assert not target.exists(), "what was broken off in order is cleaned up"
    await service.start()
    told = await service.ended(job)
    assert told["job_state"] == "FINISHED", told["files"][0]["reason"]
    assert target.read_bytes() == big
    target.unlink()


async def test_a_canceled_copy_leaves_nothing(service: Service, big: bytes) -> None:
    job = await under_way(service, big, "canceled")
    status, told = await service.ask("DELETE", f"/jobs/{job}")
    assert (status, told["job_state"]) == (200, "CANCELED")

    async def clean() -> bool:
        return not service.grid.file(1, "canceled").exists()

    await until(clean)
    assert (await service.job(job))["job_state"] == "CANCELED"
    assert service.secrets() == []


async def test_a_storage_that_says_nothing_does_not_hold_a_copy_for_ever(service: Service, big: bytes) -> None:
    grid = service.grid
    job = await under_way(service, big, "silent")
    grid.signal(1, signal.SIGSTOP)
    try:
        assert f"silent for {SILENCE} s" in why(await service.ended(job))
    finally:
        grid.signal(1, signal.SIGCONT)


async def test_a_storage_that_dies_is_told_and_used_when_it_is_back(service: Service, big: bytes) -> None:
    grid = service.grid
    job = await under_way(service, big, "dies")
    grid.signal(1, signal.SIGKILL)
    assert re.search(r"b\.grid\.example\.org .*(broke off|failed|answers 50\d)", why(await service.ended(job)))

    async def back() -> bool:
        again = await service.copied(large(grid, big, "dies"), **CHECKED)
        return bool(again["job_state"] == "FINISHED")

    await until(back)
    assert grid.file(1, "dies").read_bytes() == big


async def test_the_queue_has_an_end(service: Service) -> None:
    service.end()
    service.options = ("--queue", "2")
    await service.start()
    grid = service.grid
    grid.signal(0, signal.SIGSTOP)
    try:
        jobs = [await service.submit(wanted(grid, f"queued-{one}", CONTENT), **CHECKED) for one in range(2)]
        third = wanted(grid, "queued-3", CONTENT)
        body = {"files": [third], "params": CHECKED}
        async with service.session.post("http://service/jobs", json=body) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "30"
    finally:
        grid.signal(0, signal.SIGCONT)
    for job in jobs:
        await service.ended(job)
    await service.copied(third, **CHECKED)


async def test_what_is_counted(service: Service) -> None:
    grid = service.grid
    grid.put(0, "counted", CONTENT)
    await service.copied(wanted(grid, "counted", CONTENT), **CHECKED)
    await service.copied(wanted(grid, "uncounted", CONTENT), **CHECKED)
    async with service.session.get("http://service/metrics") as answer:
        text = await answer.text()
    assert 'vre_transfer_copies_total{state="FINISHED"} 1.0' in text
    failures = service.log.count(": FAILED ")
    assert failures
    assert f'vre_transfer_copies_total{{state="FAILED"}} {float(failures)}' in text
    assert f"vre_transfer_bytes_total {float(len(CONTENT))}" in text
    assert 'vre_transfer_files{state="SUBMITTED"} 0.0' in text
