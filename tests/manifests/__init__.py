"""Manifests that must be refused and what a person must be told, by `vre validate` and by an API server."""

from tests.manifests.base import GOOD, Bad, BadChange, merge
from tests.manifests.changes import BAD_CHANGES, GOOD_CHANGES
from tests.manifests.fine import FINE
from tests.manifests.lakes import BAD_LAKES
from tests.manifests.wishes import BAD_OFFLINE, BAD_WISHES

BAD: tuple[Bad, ...] = (*BAD_WISHES, *BAD_LAKES)

__all__ = ["BAD", "BAD_CHANGES", "BAD_OFFLINE", "FINE", "GOOD", "GOOD_CHANGES", "Bad", "BadChange", "merge"]
