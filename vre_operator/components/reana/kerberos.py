"""Tickets for steps that say `kerberos: true`: what REANA mounts and runs beside them.

REANA asks for a ticket before such a step, and renews it every six hours while the step runs, in containers of
its own (reana-commons, k8s/kerberos.py). What they know of Kerberos is the file krb5.conf of a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.api.kerberos import TICKETS, Realm
from vre_operator.components import ids
from vre_operator.components.context import Environment

# Renewable for as long as a step may take that says nothing of it (jobs.timeoutSeconds).
_HEAD = f"""\
# Written by vre-operator.
[libdefaults]
    default_realm = {TICKETS}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    ticket_lifetime = 1d
    renew_lifetime = 7d
    forwardable = true
    default_ccache_name = FILE:/krb5_cache/krb5_%{{uid}}
"""


def files(env: Environment) -> dict[str, str]:
    """{"krb5.conf": its text}.

    It is there without Kerberos, too, and knows no realm then. Which steps of Snakemake want tickets is known
    only while they run: a step that wants one ends with "Cannot find KDC for realm", and would wait for a
    volume that nobody makes otherwise. Names in it are validated (api/kerberos.py), and only those in it are
    asked: DNS, which could lead elsewhere, is not.
    """
    wanted = env.spec.workflows.kerberos
    return {"krb5.conf": _HEAD + "".join(_realms(wanted.realms) if wanted else ())}


def _realms(realms: tuple[Realm, ...]) -> Iterator[str]:
    yield "\n[realms]\n"
    for realm in realms:
        yield f"    {realm.name} = {{\n"
        yield from (f"        kdc = {kdc}:{ids.KERBEROS_PORT}\n" for kdc in realm.kdcs)
        yield "    }\n"
    yield "\n[domain_realm]\n"
    for realm in realms:
        for domain in realm.domains:
            yield f"    .{domain} = {realm.name}\n    {domain} = {realm.name}\n"


def beside(env: Environment) -> dict[str, str]:
    """Environment of who makes these containers: the job controller's for steps, the controller's for
    engines."""
    image = ids.reana_images(env).kerberos
    return {"KRB5_CONTAINER_IMAGE": image} if image else {}


def gate(env: Environment) -> dict[str, str]:
    """Environment of files/gate.py."""
    return {"VRE_KERBEROS": "1"} if env.spec.workflows.kerberos else {}
