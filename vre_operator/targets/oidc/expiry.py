"""Client secrets that end by themselves: when, from when on something is to be done, and what people are told.

A provider tells the end by RFC 7591 (`client_secret_expires_at`) or, Keycloak, by an attribute; of a client
that a person entered the Secret may tell it. Whoever can renew does so; what can't be renewed is told in time.
Times are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.targets.oidc.model import NO_PROBLEM, ClientState, Problem, Provider

TOLD_BY = "client_secret_expires_at"
"""The member of RFC 7591; also the key of a Secret in which a person may say it."""

# People need a while; of a secret that lives for less than a month, the second half of its life.
_WARN = 14 * 86400.0
_AGAIN = 86400.0
_SHORT = 600.0
_FOR_EVER = 253_402_300_799.0  # the last second that a date can tell

_RENEWED = (Provider.KEYCLOAK_ADMIN, Provider.KEYCLOAK_DCR, Provider.GENERIC_DCR, Provider.IAM_DCR)
"""Where an update may give another secret, or the same one a longer life."""
_BY_TOKEN = (Provider.KEYCLOAK_DCR, Provider.GENERIC_DCR, Provider.IAM_DCR)


def told(state: ClientState, ends: Any, now: float) -> dict[str, Any]:
    """What to remember of a provider's word: a time, 0 for never. What is no number says nothing: then what is
    known stays."""
    if not isinstance(ends, int | float) or isinstance(ends, bool) or not ends >= 0:
        return {}
    ends = float(ends) if ends < _FOR_EVER else 0.0
    return {} if ends == state.secret_ends else {"secret_ends": ends, "secret_seen": now, "renew_at": 0.0}


def of_member(
    state: ClientState, answer: Mapping[str, Any], now: float, *, new: bool = False
) -> dict[str, Any]:
    """The same, of an answer in the words of RFC 7591. new: of a client that was made just now."""
    return told(state, answer.get(TOLD_BY, 0 if new else None), now)


def entered(text: str) -> float:
    """What a person wrote: seconds since 1970 or a date, with or without its time; 0 for nothing. Raises
    ValueError."""
    if not text.strip():
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        day = datetime.fromisoformat(text.strip())
        return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
    if not seconds >= 0:
        raise ValueError(text)
    return seconds


def due(state: ClientState) -> float:
    """When to renew it, or to tell somebody; infinite for what never ends."""
    if not state.secret_ends:
        return math.inf
    return state.secret_ends - min(_WARN, max(state.secret_ends - state.secret_seen, 0.0) / 2)


def to_renew(state: ClientState, now: float) -> bool:
    """Whether it can be done by us, and now. An attempt that gave nothing is not repeated for a day."""
    return _renewable(state) and now >= max(due(state), state.renew_at)


def again(state: ClientState, now: float) -> float:
    """After an attempt: when to try the next one; 0 where it gave a longer life."""
    if now < due(state):
        return 0.0
    return now + min(_AGAIN, max((state.secret_ends - now) / 4, _SHORT))


def problem(state: ClientState, now: float) -> Problem:
    """What a person has to hear: it ends soon, or has ended, and nothing that we can do helps."""
    if now < due(state) or (_renewable(state) and not state.renew_at):
        return NO_PROBLEM
    verb = "ended" if now >= state.secret_ends else "ends"
    what = f"The secret of client {state.client_id} at {state.spec.issuer} {verb} at {iso(state.secret_ends)}"
    if state.spec.provider is Provider.MANUAL:
        return (
            Reason.SECRET_EXPIRES.value,
            f"{what}. Get a new one from the provider, and write it and {TOLD_BY} into the client's Secret.",
        )
    tried = "its renewal gave no longer life" if _renewable(state) else "it can't be renewed from here"
    return (
        Reason.SECRET_EXPIRES.value,
        f"{what}, and {tried}. Ask the provider's admin to let it live longer; or to delete the client, which"
        " is then registered again under another id or secret.",
    )


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _renewable(state: ClientState) -> bool:
    provider = state.spec.provider
    return provider in _RENEWED and bool(state.current) and (provider not in _BY_TOKEN or bool(state.rat))
