"""Manifests that must be refused and what a person must be told, by `vre validate` and by an API server."""

from tests.manifests.base import GOOD, Bad, BadChange, merge
from tests.manifests.changes import BAD_CHANGES as _CHANGES
from tests.manifests.changes import GOOD_CHANGES
from tests.manifests.fine import FINE as _FINE
from tests.manifests.lakes import BAD_LAKES
from tests.manifests.shares import BAD_SHARE_CHANGES, BAD_SHARES, FINE_SHARES
from tests.manifests.wishes import BAD_OFFLINE, BAD_WISHES

BAD: tuple[Bad, ...] = (*BAD_WISHES, *BAD_LAKES, *BAD_SHARES)
BAD_CHANGES: tuple[BadChange, ...] = (*_CHANGES, *BAD_SHARE_CHANGES)
FINE = (*_FINE, *FINE_SHARES)

__all__ = ["BAD", "BAD_CHANGES", "BAD_OFFLINE", "FINE", "GOOD", "GOOD_CHANGES", "Bad", "BadChange", "merge"]
