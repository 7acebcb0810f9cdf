"""spec.workflows.kerberos: tickets for the steps of workflows that say `kerberos: true`.

What REANA makes of such a step: get_kerberos_k8s_config of reana-commons (0.9.9 and 0.95.0a20 were read).
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Model
from vre_operator.api.rules import Rule, Unique, matches

TICKETS = "CERN.CH"
"""The realm of the tickets that REANA asks for: it stands in its code, behind each CERN_USER."""
_LABEL = "[A-Z0-9]([A-Z0-9-]*[A-Z0-9])?"


class Realm(Model):
    """A Kerberos realm."""

    name: Annotated[
        str,
        Field(max_length=200),
        matches(
            rf"^{_LABEL}(\.{_LABEL})*$",
            "is no realm",
            "give its name in upper case, as a keytab of it shows (klist -k), such as CERN.CH",
        ),
    ]
    """Its name, which is its domain in upper case as a rule."""
    kdcs: Annotated[tuple[Hostname, ...], Field(min_length=1, max_length=5), Unique()]
    """Hosts that answer for it, on port 88, in the order in which they are asked. One that is not public has to
    lie in site.computeCidrs."""
    domains: Annotated[tuple[Hostname, ...], Field(max_length=5), Unique()] = ()
    """Domains whose hosts are in it, each with all that is below. Of other hosts Kerberos itself decides: their
    domain in upper case."""


class Kerberos(Model):
    """Tickets for steps. People bring CERN_USER, CERN_KEYTAB and the keytab as a file."""

    realms: Annotated[
        tuple[Realm, ...],
        Field(min_length=1, max_length=4),
        Unique("name"),
        Rule(
            f"self.exists(realm, realm.name == '{TICKETS}')",
            f"lacks {TICKETS}",
            f"add {TICKETS} with its KDCs: REANA asks for tickets of that realm alone",
            lambda realms: TICKETS in {realm.name for realm in realms},
        ),
        Rule(
            "self.all(one, !has(one.domains) || self.all(other, other.name == one.name || !has(other.domains)"
            " || !one.domains.exists(domain, domain in other.domains)))",
            "has a domain in two realms",
            "give each domain to the one realm in which its hosts are",
            lambda realms: max(Counter(d for realm in realms for d in realm.domains).values(), default=1) == 1,
        ),
    ]
    """CERN.CH, and those whose services know its tickets."""
