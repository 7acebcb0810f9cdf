"""spec.storage.shares: volumes that sessions have beside the home."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from vre_operator.api.base import Label, Model, ObjectName, Quantity
from vre_operator.api.catalogue import Groups
from vre_operator.api.rules import Rule, at_least, immutable_field, matches, only_grows

# What sites use for data. Nowhere else, so that no volume takes the place of a part of the image.
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
MOUNT_PATH = (
    rf"^/(shared|data|mnt|srv|work|project|scratch|cvmfs|eos|ceph|nfs|home/jovyan/{_SEGMENT})(/{_SEGMENT})*$"
)
HOME_CLAIM = "claim-"
"""How KubeSpawner's names of homes begin."""


class AccessMode(StrEnum):
    READ_WRITE_MANY = "ReadWriteMany"
    READ_WRITE_ONCE = "ReadWriteOnce"


class ShareVolume(Model):
    """A volume that the operator makes, and keeps when the share goes."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (
        immutable_field(
            "storageClass",
            "set it back, as volumes cannot move between classes. Add another share and copy the files",
        ),
        Rule("self.accessMode == oldSelf.accessMode", "cannot be changed", "set it back", path=".accessMode"),
        only_grows("size"),
    )

    size: Annotated[Quantity, at_least("64Mi")] = "100Gi"
    """Size. It can grow where the StorageClass allows it, and never shrink."""
    storage_class: ObjectName | None = None
    """StorageClass; the cluster's default when absent. Cannot be changed later."""
    access_mode: AccessMode = AccessMode.READ_WRITE_MANY
    """ReadWriteMany: sessions on all nodes, by a class of CephFS, NFS or the like. ReadWriteOnce: only where
    all sessions run on one node. Cannot be changed later."""


class ShareClaim(Model):
    """A volume that somebody else made."""

    name: Annotated[
        ObjectName,
        Rule(
            f"!self.startsWith('{HOME_CLAIM}')",
            "is the name of a person's home",
            "name another claim: homes are not shared",
            lambda name: not name.startswith(HOME_CLAIM),
        ),
    ]
    """PersistentVolumeClaim in the namespace of the sessions, which is this one's name with -notebooks."""


class Cvmfs(Model):
    """Software of CVMFS, by the driver cvmfs-csi with automount."""

    storage_class: ObjectName = "cvmfs"
    """StorageClass of the driver that names no repository: all of them appear when they are asked for."""


class Share(Model):
    """A volume in people's sessions. Of volume, claim and cvmfs there is one."""

    cel_rules = (
        Rule(
            "[has(self.volume), has(self.claim), has(self.cvmfs)].filter(one, one).size() == 1",
            "is not the one place of the share",
            "give exactly one of volume, claim and cvmfs",
            lambda self: sum(one is not None for one in (self.volume, self.claim, self.cvmfs)) == 1,
            path=".volume",
        ),
        Rule(
            "!has(self.writers) || self.writers.size() == 0 || !(self.readOnly || has(self.cvmfs))",
            "are beside a share that nobody writes",
            "remove writers, or readOnly",
            lambda self: not self.writers or not (self.read_only or self.cvmfs),
            path=".writers",
        ),
    )

    name: Annotated[Label, Field(max_length=40)]
    """Short name."""
    mount_path: (
        Annotated[
            str,
            Field(max_length=200),
            matches(
                MOUNT_PATH,
                "is no place for a share",
                "mount it at or below /shared, /data, /mnt, /srv, /work, /project, /scratch, /cvmfs, /eos,"
                " /ceph, /nfs or /home/jovyan/NAME, as in /shared/survey",
            ),
        ]
        | None
    ) = None
    """Where sessions have it; /shared/NAME when absent, /cvmfs for CVMFS."""
    read_only: bool = False
    """Whether nobody writes there."""
    allowed_groups: Groups = ()
    """Groups whose members have it; everybody who may log in when empty."""
    writers: Groups = ()
    """Groups whose members write there, while others read; all write when empty."""
    volume: ShareVolume | None = None
    """A volume of its own."""
    claim: ShareClaim | None = None
    """A volume that is there already."""
    cvmfs: Cvmfs | None = None
    """The software of CVMFS."""

    @property
    def path(self) -> str:
        """Where sessions have it."""
        return self.mount_path or ("/cvmfs" if self.cvmfs else f"/shared/{self.name}")
