"""spec.dataLake.probe and .history: whether the lake does what it is for, and what its database forgets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model
from vre_operator.api.rules import Unique, matches
from vre_operator.api.schedule import Schedule

RSE_NAME = r"^[A-Z0-9]+([_-][A-Z0-9]+)*$"

RseName = Annotated[
    str,
    Field(max_length=100),
    matches(
        RSE_NAME,
        "is no RSE name",
        "use upper-case letters and digits with single - or _ between, as in CERN-DISK",
    ),
]


class Probe(Model):
    """A file goes the whole way: written to an RSE, copied by a rule to the next one, read back, and deleted.

    The condition DataLakeWorks tells how the last one ended.
    """

    enabled: bool = False
    """Probe on a schedule. The RSEs must take tokens of the identity provider, as those of storage do."""
    schedule: Schedule | None = None
    """When, as cron has it, in UTC; once an hour when absent."""
    rses: Annotated[tuple[RseName, ...], Field(max_length=10), Unique()] = ()
    """RSEs to probe, in this order and back to the first; those of storage when empty. With a single one, or
    without daemons of the group Transfers, nothing is copied."""


class History(Model):
    """What Rucio keeps of rules, transfers and messages that are over. It grows for ever by itself."""

    keep_days: Annotated[int, Field(ge=30, le=36500)] | None = None
    """What is older is deleted, once a day. Nothing is deleted when absent."""
    schedule: Schedule | None = None
    """When, as cron has it, in UTC; once a night when absent."""
