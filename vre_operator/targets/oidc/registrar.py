"""What the ways to register a client have in common."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, Invalid, TargetError
from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.model import ClientSpec, ClientState, Owner, Problem
from vre_operator.targets.oidc.state import Record

_WORD_LIMIT = 160


@dataclass(frozen=True, slots=True)
class Work:
    """One client to work on: what is wanted (`spec`, read from `body`), what is remembered, the way there.

    renew: the secret ends soon, and the provider may give it a longer life.
    """

    http: IssuerHttp
    body: Mapping[str, Any] = field(repr=False)
    spec: ClientSpec
    record: Record
    clock: Callable[[], float]
    renew: bool = False

    @property
    def state(self) -> ClientState:
        return self.record.state

    @property
    def owner(self) -> Owner:
        return self.record.state.owner

    def says(self, answer: Answer) -> str:
        """The provider's own words for people: short, printable, and without any secret of ours."""
        words = answer.text("error_description") or answer.text("errorMessage") or answer.text("error")
        state = self.state
        hidden = (*self.spec.secrets(), *state.spec.secrets(), state.current, state.pending, state.rat)
        return clean(words, hidden)


class Registrar(Protocol):
    """One way to register. Every method may be repeated, and may die between any two steps."""

    async def differs(self, work: Work) -> tuple[str, Problem]:
        """Read only: what is not as wanted ("" when nothing is), and what a person should look at."""
        ...

    async def ensure(self, work: Work) -> Problem:
        """Make the client be as wanted; afterwards the state holds client_id and `current`."""
        ...

    async def remove(self, work: Work) -> bool:
        """True when the client is gone for certain, False to be asked again. Raises when it can't go."""
        ...


def new_secret() -> str:
    """A client secret of ours."""
    return secrets.token_urlsafe(36)


async def begin(work: Work, client_id: str = "") -> None:
    """Remember what a creation will carry; to be sent at once. An earlier one may still be on its way.

    client_id: instead of the readable one.
    """
    state, now = work.state, work.clock()
    await work.record.update(
        client_id=client_id or state.owner.client_id,
        pending=state.pending or ("" if state.current else new_secret()),
        body=work.body,
        intent_at=now,
        stray_at=now if state.intent_at else state.stray_at,
    )


async def confirm(work: Work, *, answered: bool, **changes: str) -> None:
    """Remember that the provider has the client. `answered`: by the creation's own answer."""
    state = work.state
    await work.record.update(
        current=state.secret,
        pending="",
        intent_at=0.0,
        stray_at=state.stray_at if answered else max(state.stray_at, state.intent_at),
        **changes,
    )


def quiet(work: Work) -> bool:
    """Whether nothing that was cut off can still arrive. Ask before a reading: after it, time has passed."""
    return work.clock() - max(work.state.intent_at, work.state.stray_at) > work.http.timeout


def clean(words: str, hidden: Iterable[str] = ()) -> str:
    """`words` of a provider, fit for a condition's message."""
    for secret in hidden:
        if secret:
            words = words.replace(secret, "***")
    return re.sub(r"[^\x20-\x7e]+", " ", words).strip()[:_WORD_LIMIT]


def credentials_refused(message: str, remedy: str) -> TargetError:
    return Forbidden(message, remedy=remedy, reason=Reason.CREDENTIALS_REFUSED)


def registration_refused(message: str, remedy: str) -> TargetError:
    return Invalid(message, remedy=remedy, reason=Reason.REGISTRATION_REFUSED)


def token_lost(client_id: str, issuer: str) -> TargetError:
    """For changes and deletions of a client whose registration access token is lost."""
    return Forbidden(
        f"The registration access token of client {client_id} at {issuer} is lost, so it can't be changed",
        remedy=f"Ask the provider's admin to delete client {client_id}.",
        reason=Reason.REGISTRATION_TOKEN_LOST,
    )


def known_lost(work: Work) -> bool:
    """Whether that was found out before: nothing about it is news then."""
    return work.state.problem[0] == Reason.REGISTRATION_TOKEN_LOST


def ambiguous_reading(work: Work, answer: Answer) -> TargetError:
    """An answer that no rule covers: nothing is concluded from it."""
    return registration_refused(
        f"{work.spec.issuer} answers {answer.status} for client {work.state.client_id}: {work.says(answer)}",
        "See the provider's log for the cause.",
    )
