"""spec.storage: homes, and volumes beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model, ObjectName, Quantity, Unwritten
from vre_operator.api.rules import Rule, Unique, at_least, stays
from vre_operator.api.s3 import S3
from vre_operator.api.shares import Share, ShareClaim, ShareVolume

_ELSEWHERE = (
    "set it back, as people's files would stay behind. For homes elsewhere create a new VREEnvironment and"
    " move the files"
)


HomeSize = Annotated[Quantity, at_least("64Mi")]


class Homes(Model):
    """People's home directories, kept when a person goes: a volume each, or a directory each in one volume."""

    cel_rules = (
        Rule(
            "!has(self.volume) || !has(self.claim)",
            "is beside homes.volume",
            "keep the one in which the homes are",
            lambda self: self.volume is None or self.claim is None,
            path=".claim",
        ),
        stays("volume", _ELSEWHERE),
        stays("claim", _ELSEWHERE),
    )

    size: Annotated[HomeSize, Unwritten()] = "10Gi"
    """Size of a home that has a volume of its own. More than before: it grows at its person's next start, where
    its class can do that. Less: later homes are smaller."""
    storage_class: ObjectName | None = None
    """StorageClass of new homes; the cluster's default when absent. A change concerns later homes."""
    volume: ShareVolume | None = None
    """One volume for all homes, made by the operator. Cannot be added or removed later."""
    claim: ShareClaim | None = None
    """One volume for all homes that is there already. Cannot be added or removed later."""

    @property
    def in_one_volume(self) -> bool:
        """Whether each home is a directory, and no volume."""
        return self.volume is not None or self.claim is not None


_PATH = "(has({0}.mountPath) ? {0}.mountPath : has({0}.cvmfs) ? '/cvmfs' : '/shared/' + {0}.name)"


def _holders(shares: Iterable[Share], share: Share) -> int:
    return sum(f"{share.path}/".startswith(f"{other.path}/") for other in shares)


class Storage(Model):
    """Where people's data lives."""

    cel_rules = (
        Rule(
            f"!has(self.shares) || self.shares.all(a, self.shares.exists_one(b, ({_PATH.format('a')} + '/')"
            f".startsWith({_PATH.format('b')} + '/')))",
            "have a place in common",
            "give each share a mountPath of its own that is not inside another's",
            lambda self: all(_holders(self.shares, share) == 1 for share in self.shares),
            path=".shares",
        ),
    )

    homes: Homes = Homes()
    """People's home directories: one volume each, kept when a person goes."""
    shares: Annotated[tuple[Share, ...], Field(max_length=20), Unique("name")] = ()
    """Volumes that sessions have beside the home."""
    s3: Annotated[tuple[S3, ...], Field(max_length=10), Unique("name")] = ()
    """Object storage that sessions reach with credentials; the first that a person may use is the default."""
