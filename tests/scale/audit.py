"""Requests as the API server saw them, from its audit log: read piece by piece, for it grows to gigabytes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

WRITES = ("create", "update", "patch", "delete", "deletecollection")


class Asked(NamedTuple):
    """One kind of request. resource: with its subresource, such as `vreenvironments/status`."""

    verb: str
    resource: str
    code: int


@dataclass
class Audit:
    """Requests since the last reading, by user.

    last: when the last one of each kind was answered, in seconds since 1970; a watch's end is none of them.
    """

    log: Path
    last: dict[Asked, float] = field(default_factory=dict)
    _position: int = field(default=0)

    def skip(self) -> None:
        """Count only what is asked from now on."""
        self._position = self.log.stat().st_size

    def read(self, *users: str) -> Counter[Asked]:
        """What these users asked since the last reading. The Lease is not counted: who leads is no tenant's."""
        marks = [f'"username":"{user}"'.encode() for user in users]
        found: Counter[Asked] = Counter()
        with self.log.open("rb") as log:
            log.seek(self._position)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                if any(mark in line for mark in marks):
                    event = json.loads(line)
                    if asked := _asked(event, users):
                        found[asked] += 1
                        if asked.verb != "watch":
                            answered = datetime.fromisoformat(event["stageTimestamp"]).timestamp()
                            self.last[asked] = max(self.last.get(asked, 0.0), answered)
        return found


def writes(asked: Counter[Asked]) -> int:
    """How many of them change something, or try to."""
    return sum(count for what, count in asked.items() if what.verb in WRITES)


def _asked(event: dict[str, object], users: tuple[str, ...]) -> Asked | None:
    user, what, status = event["user"], event.get("objectRef") or {}, event.get("responseStatus") or {}
    assert isinstance(user, dict)
    assert isinstance(what, dict)
    assert isinstance(status, dict)
    if user["username"] not in users or what.get("resource") == "leases" or event["stage"] == "ResponseStarted":
        return None
    resource = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
    return Asked(str(event["verb"]), resource or str(event["requestURI"]), int(status.get("code", 0)))
