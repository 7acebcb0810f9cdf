"""What the hub is made of: configuration, proxy, hub, and what notebooks find in their namespace.

Sources: contracts/jupyterhub.md section 1 (objects, ports, probes, secrets, order) and zero-to-jupyterhub's
chart, whose images these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vre_operator.components import ids, person, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.hub import access, s3, settings, shares, walls
from vre_operator.components.package import config_map, data_file
from vre_operator.components.workloads import Body, User, mount, scratch
from vre_operator.engine.refs import Encode, Ref, Text
from vre_operator.engine.resources import FORMER, Generator, Policy, Resource, ResourceId

COMPONENT = "hub"

PROGRAM = {
    name: data_file("vre_operator.components.hub", name)
    for name in ("jupyterhub_config.py", "vre_given.py", "vre_choices.py", "vre_pods.py")
}
ROOT = settings.ROOT

# The users of the official images.
HUB_USER = User(uid=1000, gid=1000)
PROXY_USER = User(uid=65534, gid=65534)


def render(env: Environment) -> Iterable[Resource]:
    """Nothing when the tenant wants no notebooks."""
    if not env.spec.notebooks.enabled:
        return
    secrets = _secrets(env)
    yield secrets
    # Policies and rights come first: a hub that cannot reach a session at its start ends it.
    ground = [*access.render(env, COMPONENT), *walls.render(env, COMPONENT), *_services(env)]
    if env.spec.data_lake.enabled:
        ground.append(_rucio_client(env))
    if ids.reana_in_sessions(env):
        ground.append(_reana_client(env))
    yield from ground
    proxy = _proxy(env, secrets.id, {resource.id for resource in ground})
    yield proxy
    yield from _hub(env, secrets.id, {proxy.id} | {resource.id for resource in ground})


def _secrets(env: Environment) -> Resource:
    """What the hub and its helpers know each other by.

    Kept with the data: without the crypt key, what the hub's database holds of people's logins is lost. The
    hub takes tokens of 64 digits from version 6.1.1 on only, so services get 48.
    """
    return Resource(
        id=ids.hub_secrets(env),
        component=COMPONENT,
        body={"type": "Opaque"},
        generate={
            "proxy-token": Generator.HEX64,
            "cookie-secret": Generator.HEX64,
            "crypt-key": Generator.HEX64,
            f"{FORMER}crypt-key": Generator.FORMER,
            f"{settings.CULLER}-token": Generator.HEX48,
            f"{settings.OPERATOR}-token": Generator.HEX48,
            f"{settings.TOKENS}-token": Generator.HEX48,
            f"{ids.SPAWN_PROBE}-token": Generator.HEX48,
        },
        policy=Policy.RETAIN,
    )


def _login(env: Environment) -> Resource:
    """The client at the provider and the database: known to the hub alone."""
    client, issuer = ids.client(env, ids.HUB), ids.issuer(env)
    database = ids.database_credentials(env, ids.HUB)
    url = Text(
        # With its driver: the default differs between versions of SQLAlchemy.
        "postgresql+psycopg2://",
        Ref(database, "username", Encode.URL),
        ":",
        Ref(database, "password", Encode.URL),
        "@",
        Ref(database, "host"),
        ":",
        Ref(database, "port"),
        "/",
        Ref(database, "database"),
    )
    return Resource(
        id=kube("v1/Secret", env.namespace, "hub-login"),
        component=COMPONENT,
        body={
            "type": "Opaque",
            "stringData": {
                "client_id": Ref(client, "client_id"),
                "client_secret": Ref(client, "client_secret"),
                "authorize_url": Ref(issuer, "authorization_endpoint"),
                "token_url": Ref(issuer, "token_endpoint"),
                "userdata_url": Ref(issuer, "userinfo_endpoint"),
                "database_url": url,
            },
        },
        origin="spec.identity",
    )


def _config(env: Environment, name: str, data: Mapping[str, Any], namespace: str = "") -> Resource:
    return config_map(env, COMPONENT, name, data, namespace=namespace, origin="spec.notebooks")


def _rucio_client(env: Environment) -> Resource:
    """rucio.cfg of every notebook: where the lake is. Who one is, each person says."""
    if attach := env.spec.data_lake.attach:
        lines = [
            "# Written by vre-operator. Log in with RUCIO_ACCOUNT and the options of `rucio --help`.",
            "[client]",
            f"rucio_host = {attach.url}",
            f"auth_host = {attach.auth_url or attach.url}",
            f"auth_type = {attach.auth_type}",
            "request_retries = 3",
        ]
        return _config(env, settings.RUCIO_CLIENT, {"rucio.cfg": "\n".join(lines) + "\n"}, env.notebooks)
    if not ids.tokens_wanted(env):
        said = "# Written by vre-operator. Log in with RUCIO_ACCOUNT and the options of `rucio --help`."
        files = {"rucio.cfg": person.rucio_cfg(env, said, "auth_type = userpass")}
        return _config(env, settings.RUCIO_CLIENT, files, env.notebooks)
    files = {
        "rucio.cfg": person.rucio_cfg(
            env,
            "# Written by vre-operator. The token in the file is yours and stays fresh: no login is needed.",
            "auth_type = oidc",
            f"auth_token_file_path = {settings.TOKEN_FILE}",
        ),
        "jupyter_server_config.json": settings.extension(env, person.rucio_address(env)),
        "jupyter_server_config.py": data_file("vre_operator.components.hub", "jupyter_server_config.py"),
        "session_token.py": data_file("vre_operator.components.hub", "session_token.py"),
    }
    return _config(env, settings.RUCIO_CLIENT, files, env.notebooks)


def _reana_client(env: Environment) -> Resource:
    """What a session runs at its start to know its person's token for REANA."""
    file = data_file("vre_operator.components.hub", "reana_session.py")
    return _config(env, settings.REANA_CLIENT, {"jupyter_server_config.py": file}, env.notebooks)


def _services(env: Environment) -> Iterator[Resource]:
    ports = {"http": (8081, 8081)}
    if ids.tokens_served(env):
        ports[settings.TOKENS] = (ids.TOKENS_PORT, ids.TOKENS_PORT)
    yield workloads.service(env, COMPONENT, ids.HUB, ports)
    front_door = ids.proxy_service(env).name
    yield workloads.service(env, COMPONENT, front_door, {"http": (80, 8000)}, workload=ids.PROXY)
    yield workloads.service(env, COMPONENT, settings.PROXY_API, {"api": (8001, 8001)}, workload=ids.PROXY)


def _proxy(env: Environment, secrets: ResourceId, needs: set[ResourceId]) -> Resource:
    """The door through which all of a tenant's traffic goes. A new one is told its routes by the hub."""
    hub = f"http://{env.service_host(ids.HUB)}:8081"
    alive: Body = {"httpGet": {"path": "/_chp_healthz", "port": 8000}, "timeoutSeconds": 5}
    container = workloads.container(
        env,
        "proxy",
        env.site.images.proxy,
        cpu=("50m", "1"),
        memory=("64Mi", "512Mi"),
        command=["configurable-http-proxy"],
        args=[
            "--ip=",
            "--port=8000",
            "--api-ip=",
            "--api-port=8001",
            f"--default-target={hub}",
            f"--error-target={hub}/hub/error",
        ],
        # Without a token the proxy would take orders from everybody.
        environment={"CONFIGPROXY_AUTH_TOKEN": workloads.secret_key(secrets, "proxy-token")},
        ports={"http": 8000, "api": 8001},
        mounts=[mount("tmp", "/tmp", writable=True)],  # noqa: S108
        startupProbe=alive | {"periodSeconds": 1, "failureThreshold": 300},
        readinessProbe=alive | {"periodSeconds": 10},
        livenessProbe=alive | {"periodSeconds": 20, "failureThreshold": 6},
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.PROXY,
        [container],
        user=PROXY_USER,
        volumes=[scratch("tmp", "64Mi")],
        config=[secrets],
        grace_seconds=60,
    )
    return workloads.deployment(
        env, COMPONENT, ids.PROXY, template, needs=needs | {secrets}, origin="spec.notebooks"
    )


def _hub(env: Environment, secrets: ResourceId, needs: set[ResourceId]) -> Iterator[Resource]:
    login = _login(env)
    files = PROGRAM | {"settings.json": settings.settings(env)}
    if ids.tokens_served(env):
        files["tokens.py"] = data_file("vre_operator.components.hub", "tokens.py")
    config = _config(env, "hub-config", files)
    # The first of an entry is offered before it was found to be good. While nothing is known of the offers the
    # list stays as it stands: tags in their place would be untried.
    pinned = Ref(ids.offers(env), "pinned", ready=False) if env.site.resolve_tags else "{}\n"
    lists = {
        "images.json": settings.catalogue(env),
        "pinned.json": pinned,
        "shares.json": shares.as_json(env),
        "s3.json": s3.as_json(env),
        "message.json": settings.message(env),
    }
    images = _config(env, "hub-images", lists)
    yield from (login, config, images)

    needs = needs | {secrets, images.id, ids.sessions(env), ids.database_ready(env, ids.HUB)}
    if homes := env.spec.storage.homes.storage_class:
        # A home that names no existing class would wait for it for ever.
        needs.add(ids.storage_class(homes))
    if common := ids.homes(env):
        needs.add(common)
    people = [ids.reana_credentials(env)] if ids.reana_in_sessions(env) else []
    needs.update(people)
    template = workloads.pod(
        env,
        COMPONENT,
        ids.HUB,
        [_hub_container(env)],
        user=HUB_USER,
        volumes=[
            workloads.config_volume("config", config.id),
            workloads.config_volume("images", images.id),
            workloads.secret_volume("login", login.id),
            workloads.secret_volume("secrets", secrets),
            *_reana(env),
            scratch("tmp", "64Mi"),
            *workloads.ca_volumes(env),
        ],
        service_account=access.account(env).name,
        config=[config.id, login.id, secrets, *people],
    )
    yield workloads.deployment(
        env,
        COMPONENT,
        ids.HUB,
        template,
        needs=needs | workloads.ca_needs(env),
        origin="spec.notebooks",
    )


def _reana(env: Environment) -> list[Body]:
    """The volume with the credential by which the hub asks REANA for people's tokens."""
    if not ids.reana_in_sessions(env):
        return []
    keys = ["hub", *(["jobs"] if ids.lake_in_jobs(env) else [])]
    return [workloads.secret_volume(ids.REANA, ids.reana_credentials(env), *keys)]


def _hub_container(env: Environment) -> Body:
    healthy: Body = {"httpGet": {"path": "/hub/health", "port": 8081}, "timeoutSeconds": 5}
    return workloads.container(
        env,
        "hub",
        env.site.images.hub,
        cpu=("100m", "2"),
        memory=("256Mi", "2Gi"),
        args=["jupyterhub", "--config", f"{ROOT}/config/jupyterhub_config.py"],
        environment={"PYTHONUNBUFFERED": "1"},
        ports={"http": 8081},
        mounts=[
            *(mount(volume, f"{ROOT}/{volume}") for volume in ("config", "images", "login", "secrets")),
            *(mount(volume["name"], f"{ROOT}/{volume['name']}") for volume in _reana(env)),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
            *workloads.ca_mounts(env),
        ],
        # A start looks after every session that it knows of.
        startupProbe=healthy | {"periodSeconds": 1, "failureThreshold": 900},
        readinessProbe=healthy | {"periodSeconds": 10},
        livenessProbe=healthy | {"periodSeconds": 20, "failureThreshold": 15},
    )
