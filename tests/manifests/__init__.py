"""Manifests that must be refused and what a person must be told, by `vre validate` and by an API server."""

from tests.manifests.base import GOOD, Bad, BadChange, merge
from tests.manifests.changes import BAD_CHANGES as _CHANGES
from tests.manifests.changes import GOOD_CHANGES as _GOOD_CHANGES
from tests.manifests.fine import FINE as _FINE
from tests.manifests.lakes import BAD_LAKES
from tests.manifests.shares import BAD_SHARE_CHANGES, BAD_SHARES, FINE_SHARES
from tests.manifests.short import SHORT
from tests.manifests.wishes import BAD_OFFLINE, BAD_WISHES
from tests.manifests.workflows import (
    BAD_WORKFLOW_CHANGES,
    BAD_WORKFLOWS,
    FINE_WORKFLOWS,
    GOOD_WORKFLOW_CHANGES,
)

BAD: tuple[Bad, ...] = (*BAD_WISHES, *BAD_LAKES, *BAD_SHARES, *BAD_WORKFLOWS)
BAD_CHANGES: tuple[BadChange, ...] = (*_CHANGES, *BAD_SHARE_CHANGES, *BAD_WORKFLOW_CHANGES)
GOOD_CHANGES = (*_GOOD_CHANGES, *GOOD_WORKFLOW_CHANGES)
FINE = (*_FINE, *FINE_SHARES, *FINE_WORKFLOWS)

__all__ = [
    "BAD",
    "BAD_CHANGES",
    "BAD_OFFLINE",
    "FINE",
    "GOOD",
    "GOOD_CHANGES",
    "SHORT",
    "Bad",
    "BadChange",
    "merge",
]
