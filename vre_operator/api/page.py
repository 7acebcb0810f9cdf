"""spec.page: what people see first."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model
from vre_operator.api.catalogue import PAGE, Page
from vre_operator.api.rules import matches

LINK = PAGE.removesuffix("$") + r"$|^mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$"


class Link(Model):
    """Something to read, or somebody to ask."""

    title: Annotated[str, Field(min_length=1, max_length=60)]
    """What people read."""
    url: Annotated[
        str,
        Field(max_length=200),
        matches(LINK, "is no address", "give https://HOST/PATH, or mailto:NAME@HOST"),
    ]
    """A page, or an address of electronic mail."""


class LandingPage(Model):
    """The page at the VRE's hostname: what there is, whether it works, where to ask, and one's own sessions."""

    enabled: bool = True
    """Serve it. Without it the hostname leads straight to the hub."""
    title: Annotated[str, Field(max_length=60)] = ""
    """Name of the VRE; the name of this object when empty."""
    description: Annotated[str, Field(max_length=500)] = ""
    """One or two sentences below the name, as plain text."""
    logo: Page | None = None
    """A picture beside the name. People's browsers fetch it, nobody else does."""
    message: Annotated[str, Field(max_length=300)] = ""
    """Message of the day, as plain text: on this page and above the hub's. Its change restarts nothing."""
    links: Annotated[tuple[Link, ...], Field(max_length=20)] = ()
    """Documentation and help, in this order."""
