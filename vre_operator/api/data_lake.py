"""spec.dataLake: the Rucio data lake, and what is declared in it.

Names, lengths and protocols as Rucio 41 takes them: contracts/rucio.md section 6. What Rucio would accept and
then fail on at every transfer (an implementation that does not exist, a priority below zero) is refused here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model, Quantity
from vre_operator.api.lake_accounts import Account, Attribute
from vre_operator.api.lake_attach import Attach
from vre_operator.api.lake_care import History, Probe, RseName
from vre_operator.api.lake_storage import LakeStorage, Transfers
from vre_operator.api.lake_subscriptions import Subscription
from vre_operator.api.people import People
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, Unique, matches

HOST = r"^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$"


PythonModule = Annotated[
    str,
    Field(max_length=100),
    matches(
        r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
        "is no Python module",
        "give the name by which it is imported, as in atlas_rucio_policy_package",
    ),
]


class Scheme(StrEnum):
    """What Rucio 41 speaks to storage."""

    DAVS = "davs"
    HTTPS = "https"
    HTTP = "http"
    ROOT = "root"
    FILE = "file"
    STORM = "storm"
    MAGNET = "magnet"


class Implementation(StrEnum):
    """Rucio's classes for storage, without `rucio.rse.protocols.`."""

    GFAL = "gfal.Default"
    GFAL_NO_RENAME = "gfal.NoRename"
    WEBDAV = "webdav.Default"
    WEBDAV_NO_RENAME = "webdav.NoRename"
    XROOTD = "xrootd.Default"
    POSIX = "posix.Default"
    SYMLINK = "posix.Symlink"
    STORM = "storm.Default"
    BITTORRENT = "bittorrent.Default"


Priority = Annotated[int, Field(ge=0, le=100)]


class Access(Model):
    """Who may use a protocol for what: a priority each, the lowest first; absent means never."""

    read: Priority | None = None
    """Priority for reading."""
    write: Priority | None = None
    """Priority for writing."""
    delete: Priority | None = None
    """Priority for deleting."""


class WideAccess(Access):
    """The same from outside, and for copies from storage to storage."""

    third_party_read: Priority | None = None
    """Priority as the source of a copy from storage to storage."""
    third_party_write: Priority | None = None
    """Priority as the destination of a copy from storage to storage."""


class Protocol(Model):
    """A way to an RSE's storage."""

    cel_rules = (
        Rule(
            "!(self.implementation in ['webdav.Default', 'webdav.NoRename'])"
            " || self.scheme in ['https', 'http']",
            "does not speak this scheme",
            "use scheme https with webdav, or implementation gfal.Default with davs",
            lambda self: (
                not self.implementation.startswith("webdav.") or self.scheme in (Scheme.HTTPS, Scheme.HTTP)
            ),
            path=".implementation",
        ),
    )

    scheme: Scheme
    """davs, https, http, root, file, storm or magnet."""
    hostname: Annotated[
        str,
        Field(max_length=200),
        matches(HOST, "is no host", "give the storage's DNS name without scheme, port and path"),
    ]
    """DNS name of the storage; localhost for scheme file."""
    port: Annotated[int, Field(ge=0, le=65535)]
    """Its port; 0 for scheme file."""
    prefix: Annotated[
        str,
        Field(max_length=500),
        matches(r"^/[^\s]*$", "is no absolute path", "begin the prefix with a slash, as in /eos/survey/"),
    ]
    """Path below which this RSE keeps its files."""
    implementation: Implementation = Implementation.GFAL
    """Rucio's class for it."""
    lan: Access = Access(read=1, write=1, delete=1)
    """From inside the site."""
    wan: WideAccess = WideAccess(read=1, write=1, delete=1, third_party_read=1, third_party_write=1)
    """From anywhere else."""
    extended: Annotated[tuple[Attribute, ...], Field(max_length=20), Unique("name")] = ()
    """Extended attributes that the implementation asks for."""


class RseType(StrEnum):
    DISK = "DISK"
    TAPE = "TAPE"


class Availability(Model):
    """What may be done with an RSE at present."""

    read: bool = True
    """Files may be read."""
    write: bool = True
    """Files may be written."""
    delete: bool = True
    """Files may be deleted."""


class RseLimits(Model):
    """Bounds of an RSE's space."""

    min_free_space: Quantity | None = None
    """Replicas that nobody asks for are deleted when less than this is free."""
    max_space_available: Quantity | None = None
    """No rule places files here beyond this."""


class Aspect(StrEnum):
    """Parts of an RSE that can be left to people."""

    SETTINGS = "Settings"
    ATTRIBUTES = "Attributes"
    PROTOCOLS = "Protocols"
    LIMITS = "Limits"


class Rse(Model):
    """A Rucio storage element: a place for files, and the ways to it."""

    name: RseName
    """Name of the RSE. Rucio never forgets it: one that was deleted comes back by the same name."""
    type: RseType = RseType.DISK
    """DISK or TAPE."""
    deterministic: bool = True
    """Whether paths follow from names; otherwise each file's path is kept in the database."""
    volatile: bool = False
    """Whether files may vanish by themselves, as in a cache."""
    availability: Availability = Availability()
    """What may be done with it at present."""
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=50), Unique("name")] = ()
    """Attributes, for RSE expressions (country=FR) and for Rucio's behaviour (greedyDeletion, fts)."""
    protocols: Annotated[tuple[Protocol, ...], Field(max_length=10), Unique("scheme", "hostname", "port")] = ()
    """Ways to its storage, each with another scheme, hostname or port."""
    limits: RseLimits = RseLimits()
    """Bounds of its space."""
    unmanaged: Annotated[tuple[Aspect, ...], Field(max_length=4), Unique()] = ()
    """What the operator sets when it makes the RSE, and then leaves to people: Settings, Attributes,
    Protocols, Limits."""


class Distance(Model):
    """How far one RSE is from another, for transfers in that direction."""

    source: RseName
    """RSE from which files are copied."""
    destination: RseName
    """RSE to which they are copied."""
    distance: Annotated[int, Field(ge=0, le=1000)]
    """Nearer sources are taken first; 0 means no transfers this way."""


class Distances(Model):
    """Which RSEs copy files to which."""

    default: Annotated[int, Field(ge=0, le=1000)] = 1
    """Distance between any two RSEs of the list; 0 means that only the links below exist."""
    links: Annotated[tuple[Distance, ...], Field(max_length=1000), Unique("source", "destination")] = ()
    """Exceptions."""


class Option(Model):
    """An option of Rucio's configuration table."""

    section: Annotated[str, Field(min_length=1, max_length=100)]
    """Section of the configuration, such as conveyor."""
    option: Annotated[str, Field(min_length=1, max_length=100)]
    """Name of the option."""
    value: Annotated[str, Field(max_length=1000)]
    """Its value. Services see a change within 15 minutes."""


class DaemonGroup(StrEnum):
    RULES = "Rules"
    DELETION = "Deletion"
    SUBSCRIPTIONS = "Subscriptions"
    TRANSFERS = "Transfers"


class DaemonSize(StrEnum):
    SMALL = "Small"
    MEDIUM = "Medium"
    LARGE = "Large"


class Daemons(Model):
    """Rucio's daemons, which make what was asked for true."""

    groups: Annotated[tuple[DaemonGroup, ...], Field(max_length=4), Unique()] = (
        DaemonGroup.RULES,
        DaemonGroup.DELETION,
    )
    """Rules evaluates rules and counts; Deletion deletes what no rule keeps; Subscriptions makes rules for new
    data; Transfers has files copied to where rules want them."""
    size: DaemonSize = DaemonSize.SMALL
    """Memory and CPU of each: Small for up to a million files, Medium, Large."""


class SchemaUpgrade(StrEnum):
    MANUAL = "Manual"
    AUTOMATIC = "Automatic"


class DataLake(Model):
    """The Rucio data lake."""

    cel_rules = (
        Rule(
            "!self.rses.exists(rse, self.storage.exists(one, one.name == rse.name))",
            "has the name of an item of storage",
            "give one of them another name: an item of storage is an RSE already",
            lambda self: not {rse.name for rse in self.rses} & {one.name for one in self.storage},
            path=".rses",
        ),
        Rule(
            "!has(self.hostname) || !self.storage.exists(one, one.hostname == self.hostname)",
            "is the hostname of Rucio itself",
            "give each storage a hostname of its own, such as disk.example.org",
            lambda self: self.hostname not in {one.hostname for one in self.storage},
            path=".storage",
        ),
        Rule(
            "self.storage.all(one, self.storage.exists_one(other, other.hostname == one.hostname))",
            "has two items with one hostname",
            "give each storage a hostname of its own, such as disk.example.org",
            lambda self: len({one.hostname for one in self.storage}) == len(self.storage),
            path=".storage",
        ),
        Rule(
            "!has(self.attach) || !(has(self.hostname) || has(self.clientSecret) || self.storage.size() > 0"
            " || self.people.enabled || self.probe.enabled || has(self.history.keepDays)"
            " || has(self.transfers.fts) || has(self.policyPackage))",
            "is beside fields that only a Rucio of the tenant's own has",
            "remove attach, or hostname, clientSecret, storage, transfers, people, probe, history and"
            " policyPackage",
            lambda self: self.attach is None or not self._own_only(),
            path=".attach",
        ),
        Rule(
            "!self.probe.enabled || self.probe.rses.size() > 0 || self.storage.size() > 0",
            "has no RSE to go to",
            "name RSEs in probe.rses, or add an item of storage",
            lambda self: not self.probe.enabled or bool(self.probe.rses or self.storage),
            path=".probe",
        ),
        Rule(
            "self.subscriptions.size() == 0 || has(self.attach) || 'Subscriptions' in self.daemons.groups",
            "is read by no daemon",
            "add Subscriptions to daemons.groups",
            lambda self: (
                not self.subscriptions or self.attach or DaemonGroup.SUBSCRIPTIONS in self.daemons.groups
            ),
            path=".subscriptions",
        ),
    )

    enabled: bool = False
    """Have a data lake: a Rucio server with a database of its own, unless attach names another."""
    attach: Attach | None = None
    """A Rucio that is there already, instead of one of the tenant's own."""
    hostname: Hostname | None = None
    """Hostname at which Rucio answers the world, another one than spec.hostname. Only people's notebooks
    reach it when absent."""
    client_secret: SecretName | None = None
    """With identity.provider manual: the Secret with client_id and client_secret of Rucio's own client at the
    provider. Without it nobody logs in to Rucio through the provider, and storage is out of reach."""
    storage: Annotated[tuple[LakeStorage, ...], Field(max_length=10), Unique("name")] = ()
    """Storage of the lake's own, each item an RSE. One that is taken out of the list keeps its volume."""
    transfers: Transfers = Transfers()
    """Who copies files between RSEs."""
    daemons: Daemons = Daemons()
    """Which of Rucio's daemons run, and how large they are."""
    schema_upgrade: SchemaUpgrade = SchemaUpgrade.MANUAL
    """What happens when a new version of Rucio needs another database schema. Manual: it waits, and the former
    version goes on running. Automatic: the schema is upgraded in one transaction before the new version starts;
    there is no way back but a backup."""
    policy_package: PythonModule | None = None
    """Python module of the collaboration's policies (permissions, names, placement), in Rucio's words a policy
    package. The site's images of Rucio must have it. One that cannot be imported leaves the former one
    running. Without it the operator's own holds: who has a quota at an RSE places there what is theirs."""
    rses: Annotated[tuple[Rse, ...], Field(max_length=300), Unique("name")] = ()
    """Storage elements. What is declared is kept so: a change made by hand in Rucio is taken back. One that is
    taken out of the list stays in Rucio as it is."""
    distances: Distances = Distances()
    """Which of these RSEs copy files to which."""
    accounts: Annotated[tuple[Account, ...], Field(max_length=300), Unique("name")] = ()
    """Accounts of services and groups."""
    people: People = People()
    """Accounts of people, as the identity provider knows them."""
    subscriptions: Annotated[tuple[Subscription, ...], Field(max_length=200), Unique("account", "name")] = ()
    """Rules for data that is yet to come. One that is taken out of the list is switched off."""
    options: Annotated[tuple[Option, ...], Field(max_length=200), Unique("section", "option")] = ()
    """Rucio's configuration table."""
    probe: Probe = Probe()
    """Whether the lake does what it is for."""
    history: History = History()
    """What the database keeps of the past."""

    def _own_only(self) -> bool:
        """Whether something is asked for that takes a Rucio of the tenant's own."""
        named = self.hostname or self.client_secret or self.storage or self.transfers.fts or self.policy_package
        on = self.people.enabled or self.probe.enabled or self.history.keep_days is not None
        return bool(named) or on
