"""The few ways in which talking to a target goes wrong. Each becomes a condition with object, cause and remedy.

Messages are written to status and events: they carry names, never bodies, tokens or passwords.
"""

from __future__ import annotations


class TargetError(Exception):
    """Base. `reason` is a stable CamelCase word of api/conditions.py; `remedy` says what a person does next."""

    reason = "Error"
    terminal = False

    def __init__(
        self, message: str, *, remedy: str = "", reason: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.retry_after = retry_after
        if reason:
            self.reason = reason

    @property
    def text(self) -> str:
        """The condition's message: cause, then next step."""
        return f"{self.message.rstrip('.')}. {self.remedy}".strip() if self.remedy else self.message


class Invalid(TargetError):
    """The target refuses what we ask; asking again will not help until something is changed."""

    reason = "Rejected"
    terminal = True


class NotFound(TargetError):
    """What was addressed is not there."""

    reason = "NotFound"


class NotReady(TargetError):
    """Something that must come first is not there yet; a person or another pass brings it."""

    reason = "Waiting"


class Conflict(TargetError):
    """Somebody changed it under us (read again), or it belongs to somebody else (`reason` says so)."""

    reason = "Conflict"


class Throttled(TargetError):
    """Asked too often; `retry_after` seconds when the target says."""

    reason = "Throttled"


class Unavailable(TargetError):
    """No answer, a time-out, or a server's own error: nothing is known about the state."""

    reason = "Unavailable"


class Forbidden(TargetError):
    """Our credential is refused or lacks a right."""

    reason = "Forbidden"
