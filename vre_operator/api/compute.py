"""spec.workflows.backends: batch systems outside the cluster, on which a workflow's jobs can run.

Names, credentials and limits as REANA's job controller has them: contracts/reana.md section 4.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model
from vre_operator.api.rules import matches

Port = Annotated[int, Field(ge=1, le=65535)]


class Slurm(Model):
    """A Slurm cluster by ssh with Kerberos. People bring CERN_USER and CERN_KEYTAB; the realm is CERN.CH, which
    is fixed in REANA."""

    host: Hostname
    """Login node."""
    port: Port = 22
    """Of its ssh."""
    partition: Annotated[
        str,
        Field(max_length=64),
        matches("^[A-Za-z0-9_.-]+$", "is no partition", "give its name as sinfo shows it, such as short"),
    ]
    """Partition of jobs that name none."""
    minutes: Annotated[int, Field(ge=1, le=525_600)] = 60
    """Time limit of jobs that name none."""
    home: (
        Annotated[
            str,
            Field(max_length=200),
            matches(
                "^(/[A-Za-z0-9_.-]+)+$",
                "is no directory",
                "give an absolute path, such as /home/reana, or remove it",
            ),
        ]
        | None
    ) = None
    """Directory at the login node below which workspaces are copied; where ssh begins when absent."""


class HTCondor(Model):
    """The HTCondor pool for which the site's image of the job controller is made. People bring CERN_USER and
    CERN_KEYTAB; the realm is CERN.CH, which is fixed in REANA."""


class Compute4Punch(Model):
    """HTCondor behind a login node with ssh by access tokens (motley_cue). People bring HELMHOLTZ_TOP, a
    mytoken."""

    host: Hostname = "c4p-login.gridka.de"
    """Login node."""
    port: Port = 22
    """Of its ssh."""
    cores: Annotated[int, Field(ge=1, le=1024)] = 8
    """Cores of jobs that ask for none."""
    memory_megabytes: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    """Memory in MB of jobs that ask for none."""


class Backends(Model):
    """Where jobs can run besides this cluster. A workflow that names one is refused while it cannot work; the
    condition BackendsWork tells why it cannot."""

    slurm: Slurm | None = None
    """A Slurm cluster: `compute_backend: slurmcern` in a workflow."""
    htcondor: HTCondor | None = None
    """The site's HTCondor pool: `compute_backend: htcondorcern` in a workflow."""
    compute4punch: Annotated[Compute4Punch | None, Field(alias="compute4punch")] = None
    """Compute4PUNCH, or what is like it: `compute_backend: compute4punch` in a workflow."""
