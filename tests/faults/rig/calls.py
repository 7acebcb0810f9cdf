"""One request as the proxy saw it, and a name for it that is the same in every run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

READING = ("GET", "HEAD", "OPTIONS")


@dataclass(slots=True)
class Call:
    """`name`: the path without what is random in it. `nth`: the how manieth with this key since the last mark,
    from 1. `status`: the server's answer, 0 while there is none. `fault`: what was done to it."""

    number: int
    method: str
    path: str
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    nth: int = 0
    status: int = 0
    fault: str = ""

    @property
    def key(self) -> str:
        return f"{self.method} {self.name}"

    @property
    def changing(self) -> bool:
        return self.method not in READING

    @property
    def done(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.key} #{self.nth}"


Namer = Callable[[Call], str]


def by_path(call: Call) -> str:
    return call.path


def without(*random: str) -> Namer:
    """The path with whatever matches one of the expressions as `*`."""
    patterns = [re.compile(pattern) for pattern in random]

    def name(call: Call) -> str:
        path = call.path
        for pattern in patterns:
            path = pattern.sub("*", path)
        return path

    return name


def of_objects(call: Call) -> str:
    """For an API of objects: a creation is named after the object in its body, not after the collection."""
    if call.method != "POST" or call.path.endswith("/events"):
        return re.sub(r"(/events)/.*", r"\1", call.path)
    try:
        made = json.loads(call.body)["metadata"]["name"]
    except (ValueError, KeyError, TypeError):
        return call.path
    return f"{call.path}/{made}"
