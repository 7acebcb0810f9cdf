"""When a tenant gets new credentials: by a person's word, or when they are old.

One rotation at a time: it is written down in the status before the first new value is made, and ends when all
is well with the new ones. Who is given a new password knows one former password, and not two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vre_operator.api import names


@dataclass(frozen=True, slots=True)
class Rotation:
    """status.rotation. asked: the word that was followed last. started, finished: times as the API writes
    them; "" for never, and while it is under way."""

    asked: str = ""
    started: str = ""
    finished: str = ""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Rotation:
        """The last one, as the status has it."""
        told = (obj.get("status") or {}).get("rotation") or {}
        return cls(told.get("asked") or "", told.get("started") or "", told.get("finished") or "")

    @property
    def running(self) -> bool:
        return bool(self.started) and not self.finished

    def dump(self) -> dict[str, str]:
        fields = {"asked": self.asked, "started": self.started, "finished": self.finished}
        return {key: value for key, value in fields.items() if value}

    def next(self, obj: Mapping[str, Any], now: str) -> Rotation:
        """The one that is to be followed now: this one while it runs, or while none is due."""
        metadata, spec = obj["metadata"], obj.get("spec") or {}
        word = (metadata.get("annotations") or {}).get(names.ROTATE_ANNOTATION) or ""
        if not (obj.get("status") or {}).get("inventory"):
            # Nothing has been made yet: what will be is new.
            return Rotation(word, self.started, self.finished)
        if self.running or spec.get("suspend"):
            return self
        if word and word != self.asked:
            return Rotation(word, now)
        days = (spec.get("credentials") or {}).get("rotateDays")
        since = self.finished or metadata.get("creationTimestamp") or now
        if isinstance(days, int) and _time(now) >= _time(since) + timedelta(days=days):
            return Rotation(self.asked, now)
        return self

    def done(self, now: str) -> Rotation:
        """It has ended, if it ran."""
        return Rotation(self.asked, self.started, now) if self.running else self


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
