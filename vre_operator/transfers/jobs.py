"""What Rucio asks for and what it is told, in FTS's words.

Source of the shapes: Rucio's transfertool/fts3.py, which is the only client (contracts/rucio.md, last section).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from yarl import URL

FILES_LIMIT = 1000
"""Files of one job."""


class State(StrEnum):
    """Of a file, and of a job."""

    SUBMITTED = "SUBMITTED"
    ACTIVE = "ACTIVE"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    NOT_USED = "NOT_USED"  # a later hop of a chain that broke
    FINISHEDDIRTY = "FINISHEDDIRTY"  # of a job: some files are there, and others are not


OPEN = frozenset({State.SUBMITTED, State.ACTIVE})


def _davs(url: str) -> str:
    try:
        parsed = URL(url, encoded=True)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("davs", "https") or not parsed.host or parsed.user or parsed.path in ("", "/"):
        raise ValueError("is no davs:// or https:// address of a file: this service copies over WebDAV only")
    return url


Address = Annotated[str, AfterValidator(_davs)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WantedFile(_Shape):
    """One copy. Several sources are alternatives. Tokens are secrets, one for each source and destination."""

    sources: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    destinations: Annotated[tuple[Address, ...], Field(min_length=1, max_length=1)]
    metadata: dict[str, Any] = {}
    filesize: Annotated[int, Field(ge=0)] | None = None
    checksum: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+:[0-9A-Fa-f]+$|^$")] | None = None
    source_tokens: tuple[str, ...] = Field(default=(), repr=False)
    destination_tokens: tuple[str, ...] = Field(default=(), repr=False)

    @model_validator(mode="after")
    def _a_token_for_each(self) -> WantedFile:
        if self.source_tokens and len(self.source_tokens) != len(self.sources):
            raise ValueError("source_tokens has another length than sources")
        return self

    @property
    def destination(self) -> str:
        return self.destinations[0]


class Params(_Shape):
    """How the copies of a job are made."""

    verify_checksum: Literal["both", "source", "target", "none"] | bool | None = "none"
    overwrite: bool = False
    priority: int = 3
    multihop: bool = False
    job_metadata: dict[str, Any] = {}

    @property
    def verifies(self) -> frozenset[str]:
        """The ends whose checksum has to be compared: "source", "target"."""
        match self.verify_checksum:
            case "both" | True:
                return frozenset({"source", "target"})
            case "source" | "target" as end:
                return frozenset({end})
            case _:
                return frozenset()


class WantedJob(_Shape):
    """What is posted to /jobs."""

    files: Annotated[tuple[WantedFile, ...], Field(min_length=1, max_length=FILES_LIMIT)]
    params: Params = Params()


def job_state(files: Sequence[State]) -> State:
    """A job's state follows from its files'."""
    states = set(files)
    if State.ACTIVE in states or (State.SUBMITTED in states and len(states) > 1):
        return State.ACTIVE
    if State.SUBMITTED in states:
        return State.SUBMITTED
    if states == {State.FINISHED}:
        return State.FINISHED
    if State.FINISHED in states:
        return State.FINISHEDDIRTY
    return State.CANCELED if states == {State.CANCELED} else State.FAILED
