"""spec.dataLake.subscriptions: rules that Rucio makes by itself for new datasets and containers.

Filters and rules as the daemon transmogrifier of Rucio 41 reads them, activities as Rucio's schema has them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model
from vre_operator.api.lake_accounts import Key, ScopeName
from vre_operator.api.lake_attach import AccountName
from vre_operator.api.rules import Rule, Unique, matches

NAME = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"


class Collection(StrEnum):
    DATASET = "Dataset"
    CONTAINER = "Container"


class Grouping(StrEnum):
    ALL = "All"
    DATASET = "Dataset"
    NONE = "None"


class Activity(StrEnum):
    """Rucio's own list."""

    DATA_BROKERING = "Data Brokering"
    DATA_CONSOLIDATION = "Data Consolidation"
    DATA_REBALANCING = "Data Rebalancing"
    DEBUG = "Debug"
    EXPRESS = "Express"
    FUNCTIONAL_TEST = "Functional Test"
    GROUP_SUBSCRIPTIONS = "Group Subscriptions"
    PRODUCTION_INPUT = "Production Input"
    PRODUCTION_OUTPUT = "Production Output"
    ANALYSIS_INPUT = "Analysis Input"
    ANALYSIS_OUTPUT = "Analysis Output"
    STAGING = "Staging"
    T0_EXPORT = "T0 Export"
    T0_TAPE = "T0 Tape"
    UPLOAD_JOB = "Upload/Download (Job)"
    UPLOAD_USER = "Upload/Download (User)"
    USER_SUBSCRIPTIONS = "User Subscriptions"
    DATA_CHALLENGE = "Data Challenge"


class Metadatum(Model):
    """What a datum of Rucio has to be."""

    name: Key
    """Name of the datum, such as datatype, project or stream_name."""
    values: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=250)], ...], Field(min_length=1, max_length=20)
    ]
    """Regular expressions; one of them has to match its beginning."""


class Filter(Model):
    """Which new data is meant: what all of these say."""

    cel_rules = (
        Rule(
            "self.scopes.size() + self.accounts.size() + self.metadata.size() > 0 || has(self.pattern)",
            "is empty, as is all else: this means everything that anybody makes",
            "name scopes, accounts, a pattern or metadata",
            lambda self: bool(self.scopes or self.accounts or self.metadata or self.pattern),
            path=".scopes",
        ),
    )

    scopes: Annotated[tuple[ScopeName, ...], Field(max_length=50), Unique()] = ()
    """Of one of these scopes."""
    accounts: Annotated[tuple[AccountName, ...], Field(max_length=50), Unique()] = ()
    """Made by one of these accounts."""
    pattern: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """Regular expression for the beginning of its name."""
    excluded_pattern: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """Regular expression for the beginning of names that are not meant."""
    types: Annotated[tuple[Collection, ...], Field(max_length=2), Unique()] = ()
    """Dataset or Container; both when empty. Rucio looks at no single file."""
    metadata: Annotated[tuple[Metadatum, ...], Field(max_length=20), Unique("name")] = ()
    """Its metadata."""


class SubscriptionRule(Model):
    """A rule for all data that is meant."""

    rse_expression: Annotated[str, Field(min_length=1, max_length=250)]
    """Where it is to be, as a Rucio RSE expression: a name, or tier=1."""
    copies: Annotated[int, Field(ge=1, le=100)] = 1
    """How many replicas."""
    activity: Activity = Activity.GROUP_SUBSCRIPTIONS
    """What the transfers are for."""
    lifetime_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    """The rule ends after so many days; never when absent."""
    grouping: Grouping = Grouping.DATASET
    """What stays together at one RSE: All of a container, each Dataset, or each file by itself (None)."""
    source_expression: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """RSEs to copy from; any when absent."""


class Subscription(Model):
    """Rules for new data. What was made before is not looked at."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=64),
        matches(NAME, "is no name of a subscription", "use letters, digits, - . and _, as in raw-to-tape"),
    ]
    """Name, one for each account."""
    account: AccountName
    """Whose the rules are, and whose quota they use."""
    filter: Filter
    """Which data."""
    rules: Annotated[tuple[SubscriptionRule, ...], Field(min_length=1, max_length=10)]
    """Where it goes."""
    comments: Annotated[str, Field(max_length=250)] = ""
    """What this is for, for people."""
    priority: Annotated[int, Field(ge=1, le=5)] = 3
    """1 is looked at first, 5 last."""
