"""spec.catalogue: the software environments that people choose from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Label, Model
from vre_operator.api.notebooks import NotebookResources
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, Unique, matches

_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
IMAGE = (
    r"^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?"  # registry
    rf"{_PART}(/{_PART})*"
    r"(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
PAGE = r"^https://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-A-Za-z0-9._~:/?#@!$&()*+,;=%]*)?$"
PATH = r"^/[A-Za-z0-9._~/?=&%-]*$"
DAY = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
RESOURCE = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

ImageReference = Annotated[
    str,
    Field(max_length=400),
    matches(
        IMAGE, "is no image reference", "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:DIGEST"
    ),
]
Groups = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=20), Unique()
]
"""Some of the groups that the provider tells."""
Page = Annotated[
    str,
    Field(max_length=200),
    matches(PAGE, "is no address of a page", "give https://HOST/PATH, as in https://docs.example.org/base"),
]


class Stage(StrEnum):
    ACTIVE = "Active"
    DEPRECATED = "Deprecated"
    HIDDEN = "Hidden"


class Lifecycle(Model):
    """Whether an entry is to be chosen still."""

    cel_rules = (
        Rule(
            "self.stage != 'Active' || !(has(self.successor) || has(self.until))",
            "is Active and has an end",
            "set stage to Deprecated, or remove successor and until",
            lambda self: self.stage is not Stage.ACTIVE or not (self.successor or self.until),
            path=".stage",
        ),
    )

    stage: Stage = Stage.ACTIVE
    """Active; Deprecated: offered with a warning; Hidden: offered to nobody, and those whose last choice it was
    can still start it."""
    successor: Label | None = None
    """Name of the entry to take instead."""
    until: (
        Annotated[str, Field(max_length=10), matches(DAY, "is no day", "write YYYY-MM-DD, as in 2027-03-31")]
        | None
    ) = None
    """Last day on which it is offered; afterwards it is Hidden."""


class Gpus(Model):
    """Accelerators of a session."""

    resource: Annotated[
        str,
        Field(max_length=100),
        matches(RESOURCE, "is no extended resource", "write DOMAIN/NAME, as in nvidia.com/gpu"),
    ] = "nvidia.com/gpu"
    """The extended resource that the cluster's device plug-in offers."""
    count: Annotated[int, Field(ge=1, le=16)] = 1
    """How many."""


class Entry(Model):
    """A software environment that people can choose for their notebook."""

    name: Label
    """Short name that stays: people's last choice is remembered by it. Never reuse one for something else."""
    image: ImageReference
    """Container image. It must hold jupyterhub-singleuser of the hub's major version and run as uid 1000. A tag
    is followed: what it stands for is asked again and again, tried, and then offered by its digest."""
    display_name: Annotated[str, Field(max_length=100)] = ""
    """What people read in the list; the name when empty."""
    description: Annotated[str, Field(max_length=300)] = ""
    """One or two sentences below the display name, as plain text."""
    documentation: Page | None = None
    """A page about it; people get a link to it."""
    icon: Page | None = None
    """A picture of 32 by 32 pixels beside it. People's browsers fetch it, nobody else does."""
    allowed_groups: Groups = ()
    """Groups whose members may choose it; everybody who may log in when empty."""
    resources: NotebookResources | None = None
    """CPU and memory of a session with it, instead of notebooks.resources."""
    gpus: Gpus | None = None
    """Accelerators; none when absent."""
    default_url: Annotated[
        str, Field(max_length=150), matches(PATH, "is no path", "begin it with a slash, as in /lab or /rstudio")
    ] = "/lab"
    """What opens when a session has started: /lab, /tree, or what a program in the image serves, as in
    /rstudio or /vscode."""
    pre_pull: bool = False
    """Have the image on each node where sessions run before somebody wants it, and offer a new one when it is
    there. A pod on each node keeps it. Not for entries of the site."""
    lifecycle: Lifecycle = Lifecycle()
    """Whether it is to be chosen still."""


_ON_NODES = 20


class Catalogue(Model):
    """The software environments to choose from."""

    cel_rules = (
        Rule(
            f"!has(self.entries) || self.entries.filter(e, has(e.prePull) && e.prePull).size() <= {_ON_NODES}",
            f"ask for more than {_ON_NODES} images on every node",
            "set prePull for those that many people start",
            lambda self: sum(entry.pre_pull for entry in self.entries) <= _ON_NODES,
            path=".entries",
        ),
    )

    entries: Annotated[tuple[Entry, ...], Field(max_length=200), Unique("name")] = ()
    """The tenant's own; the first that a person may choose is preselected."""
    inherit: bool = True
    """Offer the site's entries after these. One of the same name here takes the place of the site's."""
    only: Annotated[tuple[Label, ...], Field(max_length=200), Unique()] = ()
    """Of the site's entries these and no others; all of them when empty."""
    pull_secrets: Annotated[tuple[SecretName, ...], Field(max_length=10), Unique("name")] = ()
    """Secrets of type kubernetes.io/dockerconfigjson by which private images are pulled, beside the site's."""
