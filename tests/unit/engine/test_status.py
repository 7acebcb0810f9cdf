import pytest

from tests.unit.engine.world import res, rid
from vre_operator.api.conditions import Condition, Reason
from vre_operator.engine.executor import Outcome, Result
from vre_operator.engine.resources import Resource
from vre_operator.engine.status import Summary, Verdict, stamp, summarize, whole

CONDITIONS = {"database": Condition.DATABASE, "hub": Condition.HUB}


def outcome(name: str, result: Result, component: str = "hub", **more: object) -> Outcome:
    return Outcome(res(name, component=component), result, **more)  # type: ignore[arg-type]


def fold(*outcomes: Outcome, suspended: bool = False) -> tuple[Summary, dict[str, Verdict]]:
    summary = summarize(outcomes, CONDITIONS, suspended=suspended)
    return summary, {verdict.type: verdict for verdict in summary.verdicts}


def test_all_ready() -> None:
    summary, by_type = fold(outcome("a", Result.READY), outcome("b", Result.READY, "database"))
    assert summary.ready
    assert [verdict.type for verdict in summary.verdicts] == [
        "Ready",
        "Reconciling",
        "Stalled",
        "DatabaseReady",
        "HubReady",
    ]
    assert (by_type["Reconciling"].true, by_type["Stalled"].true) == (False, False)


def test_for_what_does_not_count_another_speaks() -> None:
    trial = Resource(rid("trial"), "hub", counts=False)
    summary, by_type = fold(
        outcome("a", Result.READY), Outcome(trial, Result.FAILED, "JobFailed", terminal=True)
    )
    assert summary.ready
    assert not summary.stalled
    assert by_type["HubReady"].message == "1 of 1 resources are ready"


def test_an_advice_is_heard_and_the_tenant_is_ready() -> None:
    trial = Resource(rid("trial"), "hub", advisory=True)
    failed = Outcome(trial, Result.FAILED, "WallsOpen", "the API server is open", terminal=True)
    summary, by_type = fold(outcome("a", Result.READY, "database"), failed)
    assert summary.ready
    assert not summary.stalled
    assert (by_type["HubReady"].true, by_type["HubReady"].reason) == (False, "WallsOpen")
    assert (by_type["Ready"].true, by_type["Ready"].reason) == (True, "WallsOpen")
    assert by_type["Ready"].message == (
        "everything asked for works, but HubReady: ConfigMap trial in atlas: the API server is open"
    )
    assert (by_type["Stalled"].true, by_type["Reconciling"].true) == (False, False)
    _, worse = fold(outcome("a", Result.FAILED, "database", reason="JobFailed"), failed)
    assert (worse["Ready"].true, worse["Ready"].reason) == (False, "JobFailed")


def test_what_was_never_tried_is_unknown_and_holds_nothing_up() -> None:
    summary, by_type = fold(outcome("a", Result.READY, reason=Reason.NOT_TRIED, message="no run has ended yet"))
    assert summary.ready
    assert by_type["Ready"].reason == "Ready"
    (told,) = [one for one in stamp(summary.verdicts, [], generation=1, now="t") if one["type"] == "HubReady"]
    assert (told["status"], told["reason"]) == ("Unknown", "NotTried")


def test_a_failure_is_told_before_what_only_waits_for_it() -> None:
    _, by_type = fold(
        outcome("hub", Result.BLOCKED, blocked_by=rid("db"), message="ConfigMap hub waits for ConfigMap db"),
        outcome(
            "db",
            Result.FAILED,
            "database",
            reason="ImagePullFailed",
            message="image x: not found. Fix it.",
            terminal=True,
        ),
    )
    assert by_type["Ready"].reason == "ImagePullFailed"
    assert by_type["Ready"].message == "DatabaseReady: ConfigMap db in atlas: image x: not found. Fix it."
    assert by_type["HubReady"].reason == Reason.WAITING
    assert by_type["Stalled"].true
    assert by_type["Reconciling"].true


def test_progress_is_reconciling_not_stalled() -> None:
    summary, by_type = fold(outcome("a", Result.PROGRESSING, reason="Progressing", message="0 of 1"))
    assert (summary.ready, summary.stalled) == (False, False)
    assert by_type["Reconciling"].message == "1 of 1 resources on their way"


def test_what_works_and_needs_somebody_before_its_next_change_says_so() -> None:
    lost = outcome("c", Result.READY, reason="RegistrationTokenLost", message="token lost. Ask the admin.")
    summary, by_type = fold(outcome("a", Result.READY), lost)
    assert summary.ready
    assert by_type["HubReady"] == Verdict(
        Condition.HUB, True, "RegistrationTokenLost", "ConfigMap c in atlas: token lost. Ask the admin."
    )
    assert not by_type["Stalled"].true


def test_suspended_is_not_ready_when_all_is_done() -> None:
    _, by_type = fold(outcome("a", Result.READY), suspended=True)
    assert (by_type["Ready"].true, by_type["Ready"].reason) == (False, Reason.SUSPENDED)


def test_the_spec_field_leads_the_message() -> None:
    resource = res("s", component="hub")
    resource = type(resource)(resource.id, "hub", origin="spec.identity.credentialsSecret")
    _, by_type = fold(Outcome(resource, Result.FAILED, "SecretNotFound", "it does not exist"))
    assert by_type["HubReady"].message.startswith("spec.identity.credentialsSecret: ConfigMap s")


@pytest.mark.parametrize("stalled", [True, False])
def test_a_pass_without_a_plan(stalled: bool) -> None:
    summary = whole(Reason.HOSTNAME_TAKEN, "taken", stalled=stalled)
    assert {verdict.type: verdict.true for verdict in summary.verdicts} == {
        "Ready": False,
        "Reconciling": not stalled,
        "Stalled": stalled,
    }


def test_times_move_only_with_the_status_and_long_messages_are_cut() -> None:
    first = stamp([Verdict(Condition.READY, False, "A", "x" * 5000)], [], generation=1, now="t1")
    assert first[0]["lastTransitionTime"] == "t1"
    assert len(first[0]["message"]) == 1024
    second = stamp([Verdict(Condition.READY, False, "B", "")], first, generation=2, now="t2")
    assert (second[0]["lastTransitionTime"], second[0]["reason"], second[0]["observedGeneration"]) == (
        "t1",
        "B",
        2,
    )
    third = stamp([Verdict(Condition.READY, True, "B", "")], second, generation=2, now="t3")
    assert third[0]["lastTransitionTime"] == "t3"


def test_kept_conditions_stay_as_they_were() -> None:
    before = stamp([Verdict(Condition.HUB, True, "Ready", "")], [], generation=1, now="t1")
    kept = stamp([Verdict(Condition.READY, False, "X", "")], before, generation=2, now="t2", keep=True)
    assert [item["type"] for item in kept] == ["Ready", "HubReady"]
    assert kept[1] == before[0]
    assert len(stamp([Verdict(Condition.READY, False, "X", "")], before, generation=2, now="t2")) == 1
