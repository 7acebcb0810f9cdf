"""spec.dataLake.storage and .transfers: storage of the lake's own, and who moves files between storages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model, ObjectName, Quantity
from vre_operator.api.rules import Rule, at_least, immutable_field, matches

STORAGE_NAME = r"^[A-Z0-9]+(-[A-Z0-9]+)*$"
FTS = r"^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?$"


class LakeStorage(Model):
    """An RSE on a volume of the cluster, served by XRootD over WebDAV to those whose token permits it."""

    cel_rules = (
        immutable_field(
            "storageClass",
            "set it back, as volumes cannot move between classes. Add another storage and move data by a rule",
        ),
        immutable_field(
            "hostname",
            "set it back, as Rucio knows each file by it. Add another storage and move the data by a rule",
        ),
        Rule(
            "!isQuantity(self.size) || !isQuantity(oldSelf.size)"
            " || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "cannot shrink",
            "set it back to its former size or to more: volumes only grow",
            path=".size",
        ),
    )

    name: Annotated[
        str,
        Field(max_length=40),
        matches(
            STORAGE_NAME,
            "is no name for a storage",
            "use upper-case letters, digits and single hyphens, as in SURVEY-HOME",
        ),
    ]
    """Name of the RSE. Rucio never forgets it."""
    hostname: Hostname
    """Hostname at which it answers notebooks and the world. Rucio, tokens and other storages know it by this:
    it cannot be changed later."""
    size: Annotated[Quantity, at_least("1Gi")] = "100Gi"
    """Size of its volume. It can grow where the StorageClass allows it, and never shrink."""
    storage_class: ObjectName | None = None
    """StorageClass of its volume; the cluster's default when absent. Cannot be changed later."""


class Transfers(Model):
    """Who copies files from RSE to RSE. Without daemons of the group Transfers nobody does."""

    fts: (
        Annotated[
            str,
            Field(max_length=200),
            matches(
                FTS, "is no address of an FTS", "give https://HOST:PORT, as in https://fts.example.org:8446"
            ),
        ]
        | None
    ) = None
    """Address of an FTS server, for RSEs without an attribute fts. Absent: a small transfer service of the
    operator's own, for some thousand files a day."""
