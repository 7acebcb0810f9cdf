"""O says what is wrong, and nothing when nothing is."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.report import Tally, table
from tests.faults.rig.oracle import Evidence, Violation, judged, leaks, untrue
from tests.faults.rig.recorders import Name

GOOD = Evidence(
    state={"Service/$tenant/hub": {"spec.type": "ClusterIP"}},
    created=Counter({"Service/$tenant/hub": 1}),
    registered=1,
    clients=["one"],
    logs_in=True,
    log=[{"level": "warning", "message": "lease not renewed"}],
)


def _said(consent: bool = False, **changes: Any) -> list[tuple[str, str]]:
    found = judged("plan", replace(GOOD, **changes), GOOD, consent=consent)
    assert all(violation.plan == "plan" for violation in found)
    return [(violation.rule, violation.what) for violation in found]


def test_nothing_is_said_of_a_run_like_the_reference() -> None:
    assert _said() == []


def test_a_library_that_asks_again_says_nothing_against_the_operator() -> None:
    slow = "Request attempt #1/9 failed; will retry: GET https://localhost:1/api -> ConnectionTimeoutError('x')"
    assert _said(log=[{"level": "error", "message": slow}]) == []
    given_up = slow.replace("#1/9 failed; will retry", "#9/9 failed; escalating")
    assert [rule for rule, _ in _said(log=[{"level": "error", "message": given_up}])] == ["7"]


@pytest.mark.parametrize(
    ("rule", "word", "changes"),
    [
        ("0", "never settled", {"trouble": ["never settled"]}),
        ("1", "spec.type is 'NodePort'", {"state": {"Service/$tenant/hub": {"spec.type": "NodePort"}}}),
        ("2", "created 2 times instead of 1", {"created": Counter({"Service/$tenant/hub": 2})}),
        ("2", "deleted 1 times instead of 0", {"deleted": Counter({"Service/$tenant/hub": 1})}),
        ("2", "made 2 clients", {"registered": 2}),
        ("3", "PersistentVolumeClaim/a/b was deleted", {"lost": {Name("PersistentVolumeClaim", "a", "b")}}),
        ("4", "clients at the provider: []", {"clients": []}),
        ("4", "client one was left", {"leftovers": ["one"]}),
        ("4", "does not log in", {"logs_in": False}),
        ("5", "asked although all is settled: get secrets", {"restless": ["get secrets"]}),
        ("6", "lags behind", {"untrue": ["observedGeneration lags behind"]}),
        ("7", "boom", {"log": [{"level": "error", "message": "boom"}]}),
        ("7", "pass failed", {"log": [{"level": "warning", "message": "pass failed", "traceback": "..."}]}),
        ("X6", "stands in", {"leaks": ["a secret stands in the log"]}),
    ],
)
def test_each_rule_has_its_word(rule: str, word: str, changes: dict[str, Any]) -> None:
    ((said, what),) = _said(**changes)
    assert said == rule
    assert word in what


def test_data_may_go_with_consent() -> None:
    assert _said(consent=True, lost={Name("PersistentVolumeClaim", "a", "b")}) == []


def test_a_person_who_helped_explains_one_registration_more() -> None:
    twice = replace(GOOD, registered=2)
    assert judged("plan", twice, GOOD, consent=False, registrations=1) == []


def test_a_lost_token_explains_what_tells_of_it_and_nothing_else() -> None:
    memory = {"Secret/vre-system/oidc-client-$hub": {"data.state.json.rat": "", "data.state.json.current": "x"}}
    wanted = {
        "Secret/vre-system/oidc-client-$hub": {"data.state.json.rat": "r", "data.state.json.current": "y"}
    }
    found = judged("plan", replace(GOOD, state=memory), replace(GOOD, state=wanted), consent=False, told=True)
    assert [violation.what.split(" is ")[0] for violation in found] == [
        "Secret/vre-system/oidc-client-$hub data.state.json.current"
    ]


def test_ready_is_checked_against_what_there_is() -> None:
    vre = {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    hub = Name("Deployment", "a", "hub")
    good = {"metadata": {"generation": 1}, "spec": {"replicas": 1}, "status": {"readyReplicas": 1}}
    good["status"]["observedGeneration"] = 1
    assert untrue(vre, {hub: good}) == []
    assert untrue(vre, {hub: {**good, "status": {"observedGeneration": 1}}}) != []
    assert untrue({**vre, "metadata": {"generation": 3}}, {hub: good}) == ["observedGeneration lags behind"]
    assert untrue(None, {}) == []


@pytest.mark.parametrize("spell", [str, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_secret_in_the_open_is_found_and_not_told(spell: Any) -> None:
    secret = "s3cr3t" * 5
    (found,) = leaks({secret}, {"the log": f"x {spell(secret)} y", "the ConfigMaps": "z"})
    assert "the log" in found
    assert secret not in found


def test_the_table_sums_up(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("VRE_FAULT_REPORT", str(tmp_path / "report"))
    for programme in ("R1", "R2"):
        tally = Tally(programme)
        tally.add("good", [], explained=True)
        tally.add("bad", [Violation("3", "bad", "x"), Violation("1", "bad", "y")], reached=False)
        tally.close()
        assert "bad" in tally.verdict()
    lines = (tmp_path / "report").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["failed"] == {"bad": ["(3) bad: x", "(1) bad: y"]}
    *_, last = table(lines).splitlines()
    assert last.split()[:6] == ["all", "4", "2", "2", "2", "2"]
