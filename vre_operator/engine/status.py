"""Outcomes folded into conditions. Pure: the clock is a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vre_operator.api.conditions import Condition, Reason
from vre_operator.engine.executor import Outcome, Result
from vre_operator.engine.resources import ResourceId

_SEVERITY = {Result.FAILED: 0, Result.PROGRESSING: 1, Result.BLOCKED: 2, Result.READY: 3}
_MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one condition, before it gets its times. unknown: neither true nor false."""

    type: Condition
    true: bool
    reason: Reason | str
    message: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """The conditions of a pass and whether anything in it can go on by itself."""

    verdicts: tuple[Verdict, ...]
    ready: bool
    stalled: bool

    def beside(self, verdict: Verdict) -> Summary:
        """With a condition that speaks of no resource. Ready tells why, where it is suspended by that."""
        ready, *others = self.verdicts
        if verdict.reason == Reason.GRANT_EXPIRED and ready.reason == Reason.SUSPENDED:
            ready = replace(ready, reason=verdict.reason, message=verdict.message)
        return replace(self, verdicts=(ready, *others, verdict))


def summarize(outcomes: Iterable[Outcome], conditions: Mapping[str, Condition], *, suspended: bool) -> Summary:
    """One verdict for each component that has resources, and Ready, Reconciling, Stalled over all.

    conditions: component name to condition type, in the order in which people should read them.
    """
    everything = [outcome for outcome in outcomes if outcome.resource.counts]
    owner = {outcome.resource.id: conditions[outcome.resource.component] for outcome in everything}
    by_condition: dict[Condition, list[Outcome]] = {condition: [] for condition in conditions.values()}
    for outcome in everything:
        by_condition[conditions[outcome.resource.component]].append(outcome)
    verdicts = [_component(condition, members, owner) for condition, members in by_condition.items() if members]
    weighing = [outcome for outcome in everything if not outcome.resource.advisory]
    failed = [outcome for outcome in everything if outcome.result is Result.FAILED]
    worst = min(weighing, key=_significance, default=None)
    stalled = [outcome for outcome in weighing if outcome.terminal]
    moving = [outcome for outcome in weighing if not outcome.ready and not outcome.terminal]
    if worst is not None and not worst.ready:
        lead = next(verdict for verdict in verdicts if verdict.type is owner[worst.resource.id])
        ready = Verdict(Condition.READY, False, lead.reason, f"{lead.type}: {lead.message}")
    elif suspended:
        ready = Verdict(
            Condition.READY, False, Reason.SUSPENDED, "spec.suspend is true. Set it to false to resume."
        )
    elif failed:
        concern = _component(owner[failed[0].resource.id], failed, owner)
        told = f"everything asked for works, but {concern.type}: {concern.message}"
        ready = Verdict(Condition.READY, True, concern.reason, told)
    else:
        ready = Verdict(Condition.READY, True, Reason.READY, "everything asked for works")
    reconciling = Verdict(
        Condition.RECONCILING,
        bool(moving),
        Reason.PROGRESSING if moving else Reason.READY,
        f"{len(moving)} of {len(everything)} resources on their way" if moving else "",
    )
    blame = min(stalled, key=_significance, default=None)
    stall = (
        Verdict(Condition.STALLED, True, blame.reason, describe(blame))
        if blame
        else Verdict(Condition.STALLED, False, Reason.PROGRESSING if moving else Reason.READY, "")
    )
    return Summary((ready, reconciling, stall, *verdicts), ready.true, bool(stalled))


def whole(reason: Reason | str, message: str, *, stalled: bool) -> Summary:
    """The summary of a pass that ended before its plan: an invalid spec, a taken hostname, a deletion."""
    return Summary(
        (
            Verdict(Condition.READY, False, reason, message),
            Verdict(Condition.RECONCILING, not stalled, reason, "" if stalled else message),
            Verdict(Condition.STALLED, stalled, reason, message if stalled else ""),
        ),
        ready=False,
        stalled=stalled,
    )


def stamp(
    verdicts: Sequence[Verdict],
    previous: Sequence[Mapping[str, Any]],
    *,
    generation: int,
    now: str,
    keep: bool = False,
) -> list[dict[str, Any]]:
    """Conditions as the API holds them; lastTransitionTime moves only with the status.

    keep: leave the previous conditions that this pass says nothing about.
    """
    before = {item["type"]: item for item in previous}
    conditions = []
    for verdict in verdicts:
        status = "Unknown" if verdict.unknown else "True" if verdict.true else "False"
        old = before.pop(verdict.type, None)
        since = old["lastTransitionTime"] if old and old["status"] == status else now
        conditions.append(
            {
                "type": str(verdict.type),
                "status": status,
                "reason": str(verdict.reason),
                "message": verdict.message[:_MESSAGE_LIMIT],
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return [*conditions, *(dict(item) for item in before.values())] if keep else conditions


def describe(outcome: Outcome) -> str:
    """One line for people: the spec field where one led here, the object, the cause and the next step."""
    where = f"{outcome.resource.origin}: " if outcome.resource.origin else ""
    place = f" in {outcome.resource.id.namespace}" if outcome.resource.id.namespace else ""
    return f"{where}{outcome.resource.id.short}{place}: {outcome.message or outcome.reason}"


def _component(
    condition: Condition, members: Sequence[Outcome], owner: Mapping[ResourceId, Condition]
) -> Verdict:
    worst = min(members, key=_significance)
    if worst.ready and not worst.reason:
        return Verdict(condition, True, Reason.READY, f"{len(members)} of {len(members)} resources are ready")
    if worst.result is Result.BLOCKED and worst.blocked_by is not None:
        return Verdict(condition, False, Reason.WAITING, f"{worst.message} ({owner[worst.blocked_by]})")
    unknown = worst.reason == Reason.NOT_TRIED
    return Verdict(condition, worst.ready and not unknown, worst.reason, describe(worst), unknown)


def _significance(outcome: Outcome) -> tuple[int, int]:
    """What a person should hear of first: what failed for good, what failed, what is on its way, what waits,
    what works and needs somebody before its next change."""
    needs_somebody = outcome.terminal or (outcome.ready and outcome.reason)
    return (_SEVERITY[outcome.result], 0 if needs_somebody else 1)
