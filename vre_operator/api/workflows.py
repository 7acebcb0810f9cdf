"""spec.workflows: REANA, and what its people may do there.

Names and limits as REANA takes them: contracts/reana.md sections 1.4 and 3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model, Quantity, Unwritten
from vre_operator.api.catalogue import ImageReference
from vre_operator.api.compute import Backends
from vre_operator.api.data_lake import SchemaUpgrade
from vre_operator.api.kerberos import Kerberos
from vre_operator.api.people import Group
from vre_operator.api.references import SecretName
from vre_operator.api.rules import (
    Rule,
    Unique,
    at_least,
    immutable_field,
    only_grows,
    quantity,
    stays,
    unless,
)
from vre_operator.api.schedule import Schedule
from vre_operator.api.shares import ShareVolume


class Generation(StrEnum):
    """Of REANA: what works together."""

    V0_9 = "0.9"
    V0_95 = "0.95"


class Engine(StrEnum):
    """What a workflow can be written for."""

    SERIAL = "Serial"
    SNAKEMAKE = "Snakemake"
    CWL = "CWL"
    YADAGE = "Yadage"


class Jobs(Model):
    """What a step of a workflow may take."""

    cel_rules = (
        Rule(
            "!isQuantity(self.memory) || !isQuantity(self.maxMemory)"
            " || quantity(self.memory).compareTo(quantity(self.maxMemory)) <= 0",
            "is more than maxMemory",
            "lower memory, or raise maxMemory",
            lambda self: quantity(self.memory) <= quantity(self.max_memory),
            path=".memory",
        ),
        Rule(
            "self.timeoutSeconds <= self.maxTimeoutSeconds",
            "is more than maxTimeoutSeconds",
            "lower timeoutSeconds, or raise maxTimeoutSeconds",
            lambda self: self.timeout_seconds <= self.max_timeout_seconds,
            path=".timeoutSeconds",
        ),
    )

    memory: Annotated[Quantity, at_least("64Mi")] = "4Gi"
    """Memory of a job that asks for none."""
    max_memory: Annotated[Quantity, at_least("64Mi")] = "8Gi"
    """Memory that a job may ask for."""
    timeout_seconds: Annotated[int, Field(ge=60, le=31_536_000)] = 604_800
    """Seconds after which a job that says nothing else is ended."""
    max_timeout_seconds: Annotated[int, Field(ge=60, le=31_536_000)] = 1_209_600
    """Seconds that a job may ask for."""


class WorkflowQuota(Model):
    """What each member of a group may use, over all workflows."""

    cel_rules = (
        Rule(
            "has(self.cpuHours) || has(self.disk)",
            "bounds nothing",
            "give cpuHours, disk or both",
            lambda self: self.cpu_hours is not None or self.disk is not None,
            path=".cpuHours",
        ),
    )

    group: Group = ""
    """Group whose members have it; everybody when empty. Of several the largest counts."""
    cpu_hours: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Hours of CPU time. Without end where no quota of a person says any."""
    disk: Annotated[Quantity, at_least("64Mi")] | None = None
    """Size of all workspaces. Without end where no quota of a person says any."""


class WorkflowProbe(Model):
    """A workflow of one step runs the whole way. The condition WorkflowsWork tells how the last one ended."""

    enabled: bool = False
    """Probe on a schedule."""
    schedule: Schedule | None = None
    """When, as cron has it, in UTC; once an hour when absent."""


MaxRunning = Annotated[int, Field(ge=0, le=1000)]

_VOLUME_STAYS = "set it back, as workspaces would stay behind"


class WorkflowVolume(ShareVolume):
    """The volume of all workspaces."""

    cel_rules = ()


class Workflows(Model):
    """REANA: analyses that run again wherever they are taken, with a workspace and a log each."""

    cel_rules = (
        Rule(
            "!(oldSelf.enabled && oldSelf.generation == '0.95') || self.generation == '0.95'",
            "cannot go back",
            "set it to 0.95: a newer REANA's database is not read by an older one",
            path=".generation",
        ),
        Rule(
            "!self.probe.enabled || 'Serial' in self.engines",
            "needs the engine Serial",
            "add Serial to engines, or switch the probe off",
            lambda self: not self.probe.enabled or Engine.SERIAL in self.engines,
            path=".probe.enabled",
        ),
        stays("clientSecret", "set it back, as people would be left with another client"),
        # Before there are workflows there is no volume, and what stands here are defaults.
        *(
            unless("!oldSelf.enabled", rule)
            for rule in (
                immutable_field("volume.storageClass", _VOLUME_STAYS),
                Rule(
                    "self.volume.accessMode == oldSelf.volume.accessMode",
                    "cannot be changed",
                    _VOLUME_STAYS,
                    path=".volume.accessMode",
                ),
                only_grows("volume.size"),
            )
        ),
    )

    enabled: bool = False
    """Have workflows."""
    hostname: Hostname | None = None
    """Hostname at which REANA answers its clients, another one than spec.hostname. When absent a name in the
    site's domain, where the site has one for tenants."""
    generation: Generation = Generation.V0_95
    """REANA's generation. A later one upgrades the database, and there is no way back."""
    schema_upgrade: SchemaUpgrade = SchemaUpgrade.MANUAL
    """What happens when new images need another database schema. Manual: it waits, and what ran goes on.
    Automatic: it is upgraded before the new version starts; there is no way back but a backup."""
    engines: Annotated[tuple[Engine, ...], Field(min_length=1, max_length=4), Unique()] = tuple(Engine)
    """What workflows may be written for. A workflow of another engine is refused when it is started."""
    client_secret: SecretName | None = None
    """With identity.provider manual: the Secret with client_id and client_secret of REANA's own client at the
    provider. Without it nobody logs in to REANA's own pages; clients and notebooks have tokens all the same."""
    volume: WorkflowVolume = WorkflowVolume()
    """The volume with all workspaces. It is kept when workflows are switched off."""
    jobs: Annotated[Jobs, Unwritten()] = Jobs()
    """What a step of a workflow may take. A preset of the site counts where all of this is absent."""
    max_running: Annotated[MaxRunning, Unwritten()] = 30
    """Workflows that run at once; others wait. 0 starts none, as before an upgrade."""
    quotas: Annotated[tuple[WorkflowQuota, ...], Field(max_length=50), Unique("group")] = ()
    """What each person may use; without end where there is none."""
    keep_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    """Days after which a workspace's files may be deleted at the latest; for ever when absent. Each workflow
    may ask for less."""
    session_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """Days after which an interactive session on a workspace that nobody uses is closed."""
    only_vetted: bool = False
    """Whether jobs run in images of the catalogue and of vettedImages alone."""
    vetted_images: Annotated[tuple[ImageReference, ...], Field(max_length=30)] = ()
    """Images in which jobs may run besides those of the catalogue."""
    data_lake: bool = False
    """Whether jobs can be their person at the data lake: docs/workflows.md says how, and whom people have to
    trust then."""
    backends: Backends = Backends()
    """Where jobs can run besides this cluster."""
    kerberos: Kerberos | None = None
    """Tickets for steps that say `kerberos: true`. Such a workflow is refused where it is absent."""
    probe: WorkflowProbe = WorkflowProbe()
    """Whether workflows do what they are for."""
