"""spec.notebooks: the JupyterHub."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Label, Model, Quantity, Unwritten
from vre_operator.api.rules import Rule, Unique, at_least, quantity
from vre_operator.api.schedule import Schedule


class NotebookResources(Model):
    """CPU and memory of one notebook: what it is promised and what it can use."""

    cel_rules = (
        Rule(
            "self.cpuGuarantee <= self.cpuLimit",
            "is more than cpuLimit",
            "lower cpuGuarantee or raise cpuLimit",
            lambda self: self.cpu_guarantee <= self.cpu_limit,
            path=".cpuGuarantee",
        ),
        Rule(
            "!isQuantity(self.memoryGuarantee) || !isQuantity(self.memoryLimit)"
            " || quantity(self.memoryGuarantee).compareTo(quantity(self.memoryLimit)) <= 0",
            "is more than memoryLimit",
            "lower memoryGuarantee or raise memoryLimit",
            lambda self: quantity(self.memory_guarantee) <= quantity(self.memory_limit),
            path=".memoryGuarantee",
        ),
    )

    cpu_guarantee: Annotated[float, Field(ge=0, le=256)] = 0.1
    """CPUs promised to each notebook: nodes are filled up by this."""
    cpu_limit: Annotated[float, Field(ge=0.1, le=256)] = 2.0
    """CPUs that a notebook can use at most; it is slowed down there."""
    memory_guarantee: Quantity = "512Mi"
    """Memory promised to each notebook: nodes are filled up by this."""
    memory_limit: Annotated[Quantity, at_least("128Mi")] = "2Gi"
    """Memory that a notebook can use at most; it is ended there."""


class Culling(Model):
    """When idle notebooks are stopped. Homes stay, what is in memory is lost."""

    enabled: bool = True
    """Stop idle notebooks."""
    idle_seconds: Annotated[int, Field(ge=120, le=31_536_000)] = 3600
    """Seconds without activity after which a notebook is stopped."""
    max_age_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    """Seconds after which a notebook is stopped even when it is in use; 0 means never."""


class SpawnProbe(Model):
    """A session of each environment is started, asked whether it answers, and ended, as a person would do it.

    The condition NotebooksWork tells how the last one ended.
    """

    enabled: bool = False
    """Probe on a schedule, with a home of the probe's own."""
    schedule: Schedule | None = None
    """When, as cron has it, in UTC; once a night when absent."""
    entries: Annotated[tuple[Label, ...], Field(max_length=200), Unique()] = ()
    """Environments of the catalogue to start; all that people are offered when empty."""


MaxSessions = Annotated[int, Field(ge=1, le=10_000)]


class Notebooks(Model):
    """The JupyterHub: people log in, choose an environment and work in a notebook of their own."""

    enabled: bool = True
    """Deploy the hub."""
    resources: Annotated[NotebookResources, Unwritten()] = NotebookResources()
    """CPU and memory of one notebook, where its entry of the catalogue says nothing else. A preset of the site
    counts where all of this is absent."""
    culling: Annotated[Culling, Unwritten()] = Culling()
    """When idle notebooks are stopped. A preset of the site counts where all of this is absent."""
    max_sessions: Annotated[MaxSessions, Unwritten()] = 50
    """Notebooks that can run at the same time; also sizes the quota of the namespace in which they run."""
    named_sessions: Annotated[int, Field(ge=0, le=10)] = 0
    """Sessions that a person can have beside the first, each with a name. They share the home, which for that
    must be in storage.homes.volume or claim."""
    probe: SpawnProbe = SpawnProbe()
    """Whether people get sessions."""
