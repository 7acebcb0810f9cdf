"""The harness's own arithmetic: a wrong ruler measures nothing."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.cluster import binaries
from tests.scale import abuse, abuser, compare, drift, report, witness
from tests.scale.audit import Asked, Audit, writes
from tests.scale.creation import Made, waiting
from tests.scale.drift import DELETED, EDITED, STRIPPED, Spoil
from tests.scale.figures import milliseconds, quantile, spread
from tests.scale.rounds import Round
from tests.scale.tenants import Key, Rendered, Step, manual, render, wish
from tests.scale.witness import Sight, Witness, line_of
from vre_operator.api.site import Site

POD: Key = ("v1/Secret", "t", "one")
DEPLOYMENT: Key = ("apps/v1/Deployment", "t", "two")


def sight(at: float, kind: str, key: Key = POD, generation: int = 0) -> Sight:
    return Sight(at, kind, key, "uid", int(at * 10), generation, "")


def test_quantiles_and_ranges() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert quantile(hundred, 0.5) == 50
    assert quantile(hundred, 0.99) == 99
    assert quantile([3.0], 0.01) == 3.0
    assert spread([2.0, 1.0, 4.0], 1) == "2.0 [1.0..4.0]"
    assert milliseconds([0.1, 0.2]) == "p50 100, p99 200, max 200 ms (n=2)"


@pytest.mark.parametrize(
    ("how", "sights", "seconds"),
    [
        (DELETED, [(1, "ADDED", 0), (2, "DELETED", 0), (2.5, "ADDED", 0)], 0.5),
        (DELETED, [(1, "ADDED", 0), (2, "MODIFIED", 0), (3, "DELETED", 0)], None),
        (STRIPPED, [(1, "ADDED", 1), (2, "MODIFIED", 1), (2.25, "MODIFIED", 1)], 0.25),
        (EDITED, [(1, "ADDED", 0), (2, "MODIFIED", 0)], None),
        # A workload's status follows the edit: the repair is the next change of its spec.
        (EDITED, [(1, "ADDED", 1), (2, "MODIFIED", 2), (3, "MODIFIED", 2), (4, "MODIFIED", 3)], 2.0),
        (EDITED, [(1, "ADDED", 1), (2, "MODIFIED", 2), (3, "MODIFIED", 2)], None),
    ],
)
def test_a_repair_is_told_from_the_deed(how: str, sights: list[Any], seconds: float | None) -> None:
    seen = [sight(at, kind, generation=generation) for at, kind, generation in sights]
    assert drift.repaired(seen, Spoil(POD, how, 1.5)) == seconds


def test_every_kind_is_spoiled_in_every_way_that_leaves_the_tenant_standing() -> None:
    tenant = render(wish("t", manual("https://localhost:1")), Site(ca_bundle="pem", resolve_tags=False))
    made = {key[0] for key in tenant.keys}
    ways = list(drift.deeds())
    assert {kind for kind, _ in ways} == made
    assert len(ways) == 3 * len(made) - 1
    for kind in made:
        key, obj = drift.subject(tenant, kind)
        assert key[0] == f"{obj['apiVersion']}/{obj['kind']}"


def test_waiting_is_the_time_in_which_nothing_could_be_applied() -> None:
    secret = ("v1/Secret", "t", "late")
    steps = tuple(Step(0, key, {}) for key in (POD, DEPLOYMENT, secret))
    tenant = Rendered("t", {}, steps, {secret: frozenset({DEPLOYMENT})})
    seen = Witness(Path(), cast(Any, None))
    events = [
        sight(10.1, "ADDED"),
        sight(10.2, "ADDED", DEPLOYMENT),
        sight(10.7, "MODIFIED", DEPLOYMENT),
        sight(10.8, "ADDED", secret),
    ]
    for event in events:
        seen.by_key.setdefault(event.key, []).append(event)
    assert waiting(seen, tenant, 10.0) == pytest.approx(0.5)


def test_a_line_of_the_watch_is_read_by_its_head() -> None:
    metadata = '{"name":"n","namespace":"ns","uid":"u","resourceVersion":"7","generation":3,"labels":{}}'
    line = f'{{"type":"ADDED","object":{{"kind":"Service","apiVersion":"v1","metadata":{metadata}}}}}'
    assert line_of(1.5, "v1/Service", line.encode()) == "1.500000\tADDED\tv1/Service\tns\tn\tu\t7\t3\t\n"
    condition = {"type": "Ready", "reason": "Progressing"}
    vre = {
        "metadata": {"name": "n", "namespace": "ns", "uid": "u", "resourceVersion": "8", "generation": 1},
        "status": {"conditions": [condition]},
    }
    text = json.dumps({"type": "MODIFIED", "object": {"apiVersion": "x/v1", **vre}})
    assert line_of(2, "x", text.encode()).endswith("\tns\tn\tu\t8\t1\tProgressing\n")
    with pytest.raises(RuntimeError, match="expired"):
        line_of(3, "x", b'{"type":"ERROR","object":{"message":"expired"}}')


def test_the_audit_log_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    def event(user: str, verb: str, resource: str, **more: Any) -> str:
        made = {
            "user": {"username": user},
            "verb": verb,
            "objectRef": {"resource": resource, **more},
            "responseStatus": {"code": 200},
            "stage": "ResponseComplete",
            "stageTimestamp": "2026-01-01T00:00:01.000000Z",
            "requestURI": "/",
        }
        return json.dumps(made, separators=(",", ":")) + "\n"

    log = tmp_path / "audit.log"
    log.write_text(event("me", "patch", "secrets") + event("you", "get", "secrets"))
    audit = Audit(log)
    assert audit.read("me") == Counter({Asked("patch", "secrets", 200): 1})
    with log.open("a") as more:
        more.write(event("me", "update", "leases") + event("me", "list", "vres", subresource="status") + '{"us')
    found = audit.read("me")
    assert found == Counter({Asked("list", "vres/status", 200): 1})
    assert writes(found) == 0
    assert max(audit.last.values()) == 1767225601.0
    assert audit.read("me") == Counter()


def test_what_differs_by_nature_is_masked_and_nothing_else() -> None:
    one = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "n", "namespace": "t", "uid": "1", "labels": {"vre.science/tenant-uid": "1"}},
        "data": {"a": "x"},
    }
    other = json.loads(json.dumps(one))
    other["metadata"] |= {"uid": "2", "resourceVersion": "9", "labels": {"vre.science/tenant-uid": "2"}}
    other["data"] = {"a": "y"}
    assert compare.normal(one) == compare.normal(other)
    other["data"] = {"b": "y"}
    assert len(list(compare.differences({POD: compare.normal(one)}, {POD: compare.normal(other)}))) == 2


def made(contender: str, seconds: float, **more: Any) -> Made:
    values: dict[str, Any] = {
        "size": 1,
        "objects": 54,
        "tenants": (seconds,),
        "ready": None,
        "waiting": None,
        "cpu": dict.fromkeys(("kube-apiserver", "etcd", "kube-controller-manager", "contender"), 0.1),
        "rss": 1 << 20,
        "asked": Counter({Asked("patch", "secrets", 201): 54}),
        "queued": 0.0,
        "rejected": 0.0,
    }
    return Made(contender=contender, seconds=seconds, **(values | more))


def test_ratios_are_of_the_same_round_and_a_void_round_does_not_count() -> None:
    rounds = []
    for number, (bare, ours) in enumerate([(1.0, 1.1), (2.0, 2.2), (1.0, 9.0)]):
        rounds.append(Round(number))
        rounds[-1].add("yardstick", [made("yardstick", bare)], {})
        rounds[-1].add("vre-operator", [made("vre-operator", ours)], {POD: {"odd": 1}} if number == 2 else {})
    assert not rounds[2].void, "nobody else was in that namespace"
    rounds[2].add("go", [], {POD: {"odd": 2}})
    assert rounds[2].void
    assert report.ratios(rounds, 1, "vre-operator") == [pytest.approx(1.1), pytest.approx(1.1)]
    (row,) = [row for row in report.bars(rounds) if row.bar == "<= 1.2 Y"]
    assert row.reached


def test_the_page_says_what_was_not_reached(tmp_path: Path) -> None:
    done = Round(1)
    done.add("yardstick", [made("yardstick", 1.0)], {})
    done.add("vre-operator", [made("vre-operator", 3.0, waiting=1.0, ready=3.1)], {})
    page = tmp_path / "page.md"
    report.write(page, [done], list(report.bars([done])), [1.0])
    told = page.read_text()
    assert "| 1 at once, by Y | <= 1.2 Y | 3.00 | **no** |" in told
    # Its cause, which a person found, outlives the next run.
    page.write_text(f"{told}\n{report.BY_HAND}\n\nIt waits.\n")
    report.write(page, [done], list(report.bars([done])), [1.0])
    report.write(page, [done], list(report.bars([done])), [1.0])
    assert page.read_text() == f"{told}\n{report.BY_HAND}\n\nIt waits.\n"


def test_the_contender_and_the_cluster_do_not_rebuild_each_other() -> None:
    assert binaries.source_hash(binaries.BENCH) != binaries.source_hash(binaries.CLUSTER)
    # Of gateway's dependency only files are read: dev/gateway_api.py.
    everything = {module for _, module, _ in (*binaries.BENCH, *binaries.CLUSTER)} | {"gateway"}
    assert everything == {
        str(path.parent.relative_to(binaries.SOURCE)) for path in binaries.SOURCE.rglob("go.mod")
    }


async def test_a_witness_that_is_sent_away_goes_on_from_where_it_was() -> None:
    """With a thousand tenants it reads too slowly for the API server, which ends its watch."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "7"}})
        asked.append(request.query["resourceVersion"])
        if len(asked) == 3:
            return web.Response(status=410)
        version = int(asked[-1]) + 1
        head = (
            '{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"it","namespace":"a",'
        )
        return web.Response(text=f'{head}"uid":"u","resourceVersion":"{version}"}}}}}}\n')

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    out = io.StringIO()
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        # What was forgotten meanwhile is a gap, and ends it.
        with pytest.raises(aiohttp.ClientResponseError, match="410"):
            await witness._follow(session, str(server.make_url("")).rstrip("/"), "v1/Pod", out)
    assert asked == ["7", "8", "9"]
    assert [line.split("\t")[6] for line in out.getvalue().splitlines()] == ["8", "9"]


def test_abuse_is_told_by_the_ratios_of_the_same_round_and_a_bare_clients_wait_is_no_doing_of_ours() -> None:
    def turn(deed: str, ours: float, bare: float) -> abuse.Turn:
        return abuse.Turn(deed, [ours, ours], [2 * ours, 2 * ours], [bare, bare], 10.0, 0.5, 1.0)

    rounds = [
        (turn("events", 0.2, 0.02), turn("alone", 0.1, 0.01)),
        (turn("events", 0.3, 0.02), turn("alone", 0.2, 0.01)),
    ]
    row = abuse._row("events", rounds)
    assert "last object x 1.75 [1.50..2.00] at p50" in row.seen
    assert "bare client x 2.00 [2.00..2.00]" in row.seen
    assert row.reached
    alone = [(turn("edits", 0.2, 0.01), turn("alone", 0.1, 0.01))]
    assert not abuse._row("edits", alone).reached


def test_an_abuser_has_something_to_write_for_every_deed() -> None:
    for deed in abuse.DEEDS:
        if deed not in ("hangs", "500", "resets"):
            some = list(itertools.islice(abuser.writes(deed, "ocean"), 60))
            assert all("/namespaces/ocean/" in path for _, path, _, _ in some)
            forged = any("managed-by" in json.dumps(body) for _, _, _, body in some)
            assert forged == deed.startswith("forged")
