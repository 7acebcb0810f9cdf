"""spec.dataLake.storage and .transfers: storage of the lake's own, and who moves files between storages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model, ObjectName, Quantity
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, Unique, at_least, immutable_field, matches, only_grows

STORAGE_NAME = r"^[A-Z0-9]+(-[A-Z0-9]+)*$"
FQAN = r"^(/[-A-Za-z0-9_.]+)+(/Role=[-A-Za-z0-9_.]+)?$"
VOMS = r"^https://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?:[0-9]{1,5}$"
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
        only_grows("size"),
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


class Voms(Model):
    """The server of a virtual organisation that says who belongs to it."""

    url: Annotated[
        str,
        Field(max_length=200),
        matches(
            VOMS,
            "is no address of a VOMS server",
            "give https://HOST:PORT, as in https://voms.example.org:15000",
        ),
    ]
    """Its address; the port tells the organisation."""
    attributes: Annotated[
        tuple[
            Annotated[
                str,
                Field(max_length=200),
                matches(
                    FQAN,
                    "is no group or role",
                    "write /GROUP or /GROUP/Role=ROLE, as in /survey/Role=production",
                ),
            ],
            ...,
        ],
        Field(max_length=10),
        Unique(),
    ] = ()
    """Groups and roles to ask for, the first one counts most; the whole organisation when empty."""


class X509(Model):
    """The certificate by which FTS and storages know the tenant, where tokens will not do."""

    certificate_secret: SecretName
    """Secret with tls.crt and tls.key, PEM: the certificate, then those of its authority; an RSA key without a
    passphrase. Only the operator reads it: programs get proxies of it."""
    voms: Voms | None = None
    """Attributes of a virtual organisation for the proxies."""
    hours: Annotated[int, Field(ge=12, le=168)] = 96
    """For how long a proxy is good. A new one is made, and given to the FTS, when half of it is over; a VOMS
    server may bound it."""


class Transfers(Model):
    """Who copies files from RSE to RSE. Without daemons of the group Transfers nobody does."""

    cel_rules = (
        Rule(
            "!has(self.x509) || (has(self.fts) && self.fts.startsWith('https://'))",
            "is beside no FTS that takes it",
            "give the FTS's https address in fts, or remove x509",
            lambda self: self.x509 is None or (self.fts or "").startswith("https://"),
            path=".x509",
        ),
    )

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
    x509: X509 | None = None
    """A certificate for the FTS and the storages. Absent: transfers by token."""
