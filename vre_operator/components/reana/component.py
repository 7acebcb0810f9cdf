"""What a tenant's REANA is made of.

All of it is in the namespace of workflows, where people's jobs run: the volume with the workspaces is of one
namespace alone (contracts/reana.md section 5). So there is nothing in it that another tenant, or another part
of this one, would miss: a role in the database that owns REANA's own tables, a broker and a cache of its own,
and copies of what REANA has to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, reana
from vre_operator.components.package import config_map
from vre_operator.components.reana import (
    access,
    backends,
    kerberos,
    lake,
    login,
    pods,
    probe,
    server,
    settings,
    store,
    ui,
    walls,
)
from vre_operator.components.reana.settings import Names
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Generator, Policy, Resource

COMPONENT = "workflows"
_KEYS = ("hub", "operator", "probe", "jobs")


def render(env: Environment) -> Iterable[Resource]:
    """Nothing when the tenant wants no workflows."""
    if not env.spec.workflows.enabled:
        return
    secrets = list(_secrets(env))
    files = [
        config_map(env, COMPONENT, name, data, namespace=env.workflows, origin="spec.workflows")
        for name, data in (
            (Names(env).programs.name, pods.FILES),
            (Names(env).config.name, settings.told(env)),
            (Names(env).kerberos.name, kerberos.files(env)),
            *([(Names(env).lake.name, lake.files(env))] if ids.lake_in_jobs(env) else []),
        )
    ]
    volume = store.volume(env, COMPONENT)
    ground = [*secrets, *files, *access.render(env, COMPONENT), *walls.render(env, COMPONENT)]
    if ids.reana_logs_people_in(env):
        ground.append(login.render(env, COMPONENT))
    yield from ground
    yield volume
    needs = {one.id for one in ground} | volume.needs | workloads.ca_needs(env, env.workflows)
    # Whatever starts them goes before them, and their walls fall after them.
    yield Resource(
        id=ids.runs(env),
        component=COMPONENT,
        body={"running": not env.spec.suspend},
        needs=frozenset({one.id for one in ground} | {ids.default_deny(env, env.workflows)}),
    )
    needs.add(ids.runs(env))
    yield from store.broker(env, COMPONENT, needs)
    yield from store.cache(env, COMPONENT, needs)
    database = pods.database(env, COMPONENT, needs)
    yield database
    needs = needs | {database.id}
    yield from server.render(env, COMPONENT, needs)
    yield from pods.care(env, COMPONENT, needs)
    yield from ui.render(env, COMPONENT)
    yield from store.cvmfs(env, COMPONENT)
    yield _people(env)
    yield from access.runtime(env, COMPONENT)
    yield from probe.render(env, needs | {ids.reana_server(env)})
    yield from backends.render(env, needs)


def _secrets(env: Environment) -> Iterator[Resource]:
    names = Names(env)
    yield store.generated(env, COMPONENT, names.key, "REANA_SECRET_KEY")
    yield store.generated(env, COMPONENT, names.administrator, "ADMIN_ACCESS_TOKEN")
    yield store.generated(env, COMPONENT, names.broker, "password", user=ids.REANA)
    yield store.generated(env, COMPONENT, names.cache, "password", user=ids.REANA)
    database = ids.database_credentials(env, ids.REANA)
    yield store.written(
        env,
        COMPONENT,
        names.database,
        {"user": Ref(database, "username")}
        | {key: Ref(database, key) for key in ("password", "host", "port", "database")},
    )
    people = ids.reana_credentials(env)
    yield Resource(
        id=people,
        component=COMPONENT,
        body={"type": "Opaque"},
        generate=dict.fromkeys(_KEYS, Generator.HEX48),
        policy=Policy.RETAIN,
    )
    yield store.written(env, COMPONENT, names.credentials, {key: Ref(people, key) for key in _KEYS})


def _people(env: Environment) -> Resource:
    """Whom REANA knows."""
    return Resource(
        id=reana("People", "people"),
        component=COMPONENT,
        body={
            "url": ids.reana_people(env),
            "credential": Ref(ids.reana_credentials(env), "operator"),
            "people": Ref(ids.people(env), "people", ready=False) if ids.people_known(env) else None,
            # Known before its first run: an engine reads the Secrets of whom the operator has heard of.
            "own": {probe.PERSON: "vre-probe"} if env.spec.workflows.probe.enabled else {},
            "quotas": settings.quotas(env),
            "every": env.site.people_seconds,
            "asleep": env.spec.suspend,
        },
        needs=frozenset({ids.reana_server(env)}),
        origin="spec.workflows",
    )
