"""What the hub is told: traits by class, and the list of images. Plain data; secrets are files beside it.

Sources: contracts/jupyterhub.md sections 1, 2, 6 and 7; the traits' own help in jupyterhub 6.1, kubespawner 7.1
and oauthenticator 17.4.
"""

from __future__ import annotations

from typing import Any

from vre_operator.api import names
from vre_operator.api.catalogue import Gpus
from vre_operator.api.rules import quantity
from vre_operator.api.v1alpha1 import Entry, NotebookResources
from vre_operator.components import ids, person
from vre_operator.components.context import Environment
from vre_operator.components.package import json_file
from vre_operator.components.quantity import number
from vre_operator.components.workloads import CA_DIRECTORY

Traits = dict[str, Any]

ROOT = "/etc/vre/hub"
CONFIG_DIRECTORY = f"{ROOT}/config"

NOTEBOOK_UID = 1000
NOTEBOOK_GID = 100
PROXY_API = "proxy-api"
RUCIO_CLIENT = "rucio-client"
REANA_CLIENT = "reana-client"
CULLER = "idle-culler"
OPERATOR = "vre-operator"
TOKENS = "tokens"
_GROUPS_TOLD = 10
PROBE_USER = "vre-spawn-probe"
TOKENS_DIRECTORY = "/run/vre/tokens"
TOKEN_FILE = f"{TOKENS_DIRECTORY}/rucio"
RUCIO_DIRECTORY = "/opt/rucio/etc"
REANA_DIRECTORY = "/etc/vre/reana"

# Of each person in a volume for all homes. The name never changes: it is where the files are.
_DIRECTORY = {"subPath": "homes/{username}"}

# The hub looks at the proxy's routes this often: for activity, and for routes that a new proxy has lost. Until
# then it holds requests up for 15 s in all; after that it answers 500, and JupyterLab gives its kernel up.
ROUTES_SECONDS = 10


def settings(env: Environment) -> str:
    """settings.json: a change of it restarts the hub (sessions stay)."""
    traits = {
        "JupyterHub": _hub(env),
        "ConfigurableHTTPProxy": {
            "should_start": False,
            "api_url": f"http://{env.service_host(PROXY_API)}:8001",
        },
        "GenericOAuthenticator": _login(env),
        "KubeSpawner": _spawner(env),
    }
    tokens = {"tokens": _tokens(env)} if ids.tokens_wanted(env) else {}
    probe = {"probe": PROBE_USER} if ids.spawn_probe_wanted(env) else {}
    reana = {"reana": f"{ids.reana_people(env)}/people/"} if ids.reana_in_sessions(env) else {}
    jobs = {"jobs": True} if ids.lake_in_jobs(env) else {}
    return json_file({"traits": traits} | tokens | probe | reana | jobs)


def _tokens(env: Environment) -> Traits:
    """What vre_pods.py makes the container of that keeps a session's token fresh."""
    service = person.tokens(env)
    (cpu_request, cpu_limit), (memory_request, memory_limit) = ids.TOKENS_CPU, ids.TOKENS_MEMORY
    site = [f"{CA_DIRECTORY}/ca.crt"] if env.site.ca_bundle else []
    return {
        "command": ["python3", f"{RUCIO_DIRECTORY}/session_token.py", service, TOKEN_FILE, *site],
        "mounts": [RUCIO_CLIENT, ids.ca_bundle(env, env.notebooks).name],
        "volume": TOKENS,
        "directory": TOKENS_DIRECTORY,
        "resources": {
            "requests": {"cpu": number(cpu_request), "memory": memory_request},
            "limits": {"cpu": number(cpu_limit), "memory": memory_limit},
        },
    }


def catalogue(env: Environment) -> str:
    """images.json: read at every spawn, so a change of it restarts nothing. pinned.json beside it has the
    images by digest, where they are known."""
    return json_file([_offer(env, entry) for entry, _ in ids.entries(env)])


def message(env: Environment) -> str:
    """message.json: read at every page of the hub."""
    return json_file(env.spec.page.message)


def _offer(env: Environment, entry: Entry) -> Traits:
    """What the page shows of an entry, who sees it, and which traits of the spawner it sets."""
    lifecycle = entry.lifecycle
    return {
        "name": entry.name,
        "displayName": entry.display_name or entry.name,
        "description": entry.description,
        "documentation": entry.documentation or "",
        "icon": entry.icon or "",
        "groups": list(entry.allowed_groups),
        "stage": lifecycle.stage.value,
        "successor": lifecycle.successor or "",
        "until": lifecycle.until or "",
        "spawner": {
            "image": entry.image,
            "default_url": entry.default_url,
            "extra_labels": {names.TENANT_LABEL: env.namespace, names.ENTRY_LABEL: entry.name},
            **(_resources(entry.resources) if entry.resources else {}),
            **(_gpus(entry.gpus) if entry.gpus else {}),
        },
    }


def _resources(wish: NotebookResources) -> Traits:
    return {
        "cpu_guarantee": wish.cpu_guarantee,
        "cpu_limit": wish.cpu_limit,
        # In bytes: KubeSpawner knows other units than Kubernetes.
        "mem_guarantee": int(quantity(wish.memory_guarantee)),
        "mem_limit": int(quantity(wish.memory_limit)),
    }


def _gpus(gpus: Gpus) -> Traits:
    """Kubernetes wants as many requested as allowed."""
    wanted = {gpus.resource: str(gpus.count)}
    return {"extra_resource_guarantees": wanted, "extra_resource_limits": wanted}


def extension(env: Environment, address: str) -> str:
    """What rucio-jupyterlab reads at its start: where the lake is, and the file with the person's token."""
    instance = {
        "name": env.namespace,
        "display_name": f"Data lake of {env.spec.hostname}",
        "rucio_base_url": address,
        "rucio_auth_url": address,
        "mode": "download",
        "wildcard_enabled": True,
        "oidc_auth": "file",
        "oidc_file_name": TOKEN_FILE,
    }
    if env.site.ca_bundle:
        instance["rucio_ca_cert"] = f"{CA_DIRECTORY}/ca.crt"
    wish = {"instances": [instance], "default_instance": env.namespace, "default_auth_type": "oidc"}
    return json_file({"RucioConfig": wish})


def _hub(env: Environment) -> Traits:
    services: list[Traits] = [{"name": OPERATOR}]
    roles: list[Traits] = [
        {
            "name": OPERATOR,
            "services": [OPERATOR],
            # Not admin:users, which would show people's tokens.
            "scopes": [
                "read:hub",
                "list:users",
                "read:users:name",
                "read:users:activity",
                "read:users:groups",
                "read:servers",
                "delete:servers",
                "proxy",
                "read:metrics",
            ],
        }
    ]
    if env.spec.notebooks.culling.enabled:
        services.append({"name": CULLER, "command": _culler(env)})
        roles.append(
            {
                "name": CULLER,
                "services": [CULLER],
                "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            }
        )
    if ids.spawn_probe_wanted(env):
        services.append({"name": ids.SPAWN_PROBE})
        # Of one person alone, who can't log in.
        rights = ("admin:users", "read:users", "servers", "access:servers")
        scopes = [f"{right}!user={PROBE_USER}" for right in rights]
        roles.append({"name": ids.SPAWN_PROBE, "services": [ids.SPAWN_PROBE], "scopes": scopes})
    if ids.tokens_served(env):
        services.append({"name": TOKENS, "command": ["python3", f"{CONFIG_DIRECTORY}/tokens.py"]})
        # The state of a login is where people's tokens are; the service gives each session its own alone.
        scopes = ["admin:auth_state", "read:users:name"]
        # For a job it makes a token of a minute: it is the use of one by which the hub renews a login.
        scopes += ["tokens"] if ids.lake_in_jobs(env) else []
        roles.append({"name": TOKENS, "services": [TOKENS], "scopes": scopes})
    return {
        "spawner_class": "kubespawner.KubeSpawner",
        "hub_bind_url": "http://:8081",
        "hub_connect_url": f"http://{env.service_host(ids.HUB)}:8081",
        "public_url": f"https://{env.spec.hostname}/",
        # Sessions outlive the hub and are found again.
        "cleanup_servers": False,
        "last_activity_interval": ROUTES_SECONDS,
        "active_server_limit": env.spec.notebooks.max_sessions,
        **_named(env.spec.notebooks.named_sessions),
        "concurrent_spawn_limit": 64,
        "tornado_settings": {"slow_spawn_timeout": 0},
        "services": services,
        "load_roles": roles,
    }


def _named(number: int) -> Traits:
    return {"allow_named_servers": True, "named_server_limit_per_user": number} if number else {}


def _culler(env: Environment) -> list[str]:
    culling = env.spec.notebooks.culling
    return [
        "python3",
        "-m",
        "jupyterhub_idle_culler",
        f"--timeout={culling.idle_seconds}",
        f"--max-age={culling.max_age_seconds}",
        f"--cull-every={min(600, max(ROUTES_SECONDS, culling.idle_seconds // 2))}",
        "--concurrency=10",
    ]


def _login(env: Environment) -> Traits:
    identity = env.spec.identity
    return {
        "auto_login": True,
        "login_service": "single sign-on",
        "oauth_callback_url": f"https://{env.spec.hostname}/hub/oauth_callback",
        "scope": [*identity.scopes, *([ids.notebooks_scope(env)] if ids.tokens_wanted(env) else [])],
        "username_claim": identity.username_claim,
        "enable_pkce": True,
        "enable_auth_state": True,
        "manage_groups": True,
        "auth_state_groups_key": f"oauth_user.{identity.groups_claim}",
        "custom_403_message": _refusal(env),
        "blocked_users": [PROBE_USER],
        "allow_all": identity.allow_all,
        "allowed_groups": list(identity.allowed_groups),
        "admin_groups": list(identity.admin_groups),
    }


def _refusal(env: Environment) -> str:
    """What somebody reads who has logged in and may not come in."""
    identity = env.spec.identity
    groups = identity.groups
    if identity.allow_all or not groups:
        return f"You may not use {env.spec.hostname}. Ask the people who run it why."
    named = ", ".join(groups[:_GROUPS_TOLD]) + (" and others" if len(groups) > _GROUPS_TOLD else "")
    return (
        f"You may not use {env.spec.hostname}: your login is in none of its groups ({named}). Ask the people"
        " who run it to add you to one. If they did, log out of your institution's login and in again."
    )


def _spawner(env: Environment) -> Traits:
    notebooks, homes = env.spec.notebooks, env.spec.storage.homes
    common = ids.homes(env)
    home = common.name if common else "{pvc_name}"
    volumes: list[Traits] = [{"name": "home", "persistentVolumeClaim": {"claimName": home}}]
    mounts: list[Traits] = [{"name": "home", "mountPath": "/home/jovyan"} | (_DIRECTORY if common else {})]
    # Each time a session tells that it is used the hub asks whether its person may still be here.
    environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": "120"}
    if env.spec.data_lake.enabled:
        volumes.append({"name": RUCIO_CLIENT, "configMap": {"name": RUCIO_CLIENT}})
        mounts.append({"name": RUCIO_CLIENT, "mountPath": RUCIO_DIRECTORY, "readOnly": True})
        environment["RUCIO_HOME"] = "/opt/rucio"
    # Where Jupyter finds what it runs at its start, beside its own places.
    jupyter = [RUCIO_DIRECTORY] if ids.tokens_wanted(env) else []
    if ids.reana_in_sessions(env):
        volumes.append({"name": REANA_CLIENT, "configMap": {"name": REANA_CLIENT}})
        mounts.append({"name": REANA_CLIENT, "mountPath": REANA_DIRECTORY, "readOnly": True})
        environment["REANA_SERVER_URL"] = f"https://{env.spec.workflows.hostname}"
        environment["VRE_TOKENS_URL"] = person.tokens(env)
        jupyter.append(REANA_DIRECTORY)
    if jupyter:
        environment["JUPYTER_CONFIG_PATH"] = ":".join(jupyter)
    if ids.tokens_wanted(env):
        volumes.append({"name": TOKENS, "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}})
        mounts.append({"name": TOKENS, "mountPath": TOKENS_DIRECTORY, "readOnly": True})
        # The extension writes a file without the token, and has Rucio's clients look for that one.
        environment["RUCIO_CONFIG"] = f"{RUCIO_DIRECTORY}/rucio.cfg"
        if env.site.ca_bundle:
            environment["X509_CERT_DIR"] = f"{TOKENS_DIRECTORY}/certificates"
    if env.site.ca_bundle:
        bundle = ids.ca_bundle(env, env.notebooks).name
        volumes.append({"name": bundle, "configMap": {"name": bundle}})
        mounts.append({"name": bundle, "mountPath": CA_DIRECTORY, "readOnly": True})
    return {
        "namespace": env.notebooks,
        # Names reach the cluster in people's pods and claims: never change them.
        "pod_name_template": "jupyter-{user_server}",
        "pvc_name_template": "claim-{user_server}",
        "slug_scheme": "safe",
        "cmd": ["jupyterhub-singleuser"],
        "image_pull_policy": env.site.image_pull_policy,
        "image_pull_secrets": list(ids.pull_secrets(env)),
        # The operator follows these pods to tell why one does not start.
        "extra_labels": {names.TENANT_LABEL: env.namespace},
        "storage_extra_labels": {names.TENANT_LABEL: env.namespace},
        "environment": environment,
        **_resources(notebooks.resources),
        **_scheduling(env),
        **_session_security(),
        "automount_service_account_token": False,
        "extra_pod_config": {"enableServiceLinks": False},
        "storage_pvc_ensure": common is None,
        "storage_capacity": homes.size,
        "storage_class": homes.storage_class,
        "storage_access_modes": ["ReadWriteOnce"],
        # The default deletes the home with the user.
        "delete_pvc": False,
        "volumes": volumes,
        "volume_mounts": mounts,
        "start_timeout": 300,
        "http_timeout": 60,
        "delete_grace_period": 10,
        # Five failures in a row would end the hub: one broken image must not take everybody down.
        "consecutive_failure_limit": 0,
    }


def _scheduling(env: Environment) -> Traits:
    """Only what the site says: KubeSpawner's own defaults stand for the rest."""
    where = placement(env)
    traits = {
        "node_selector": where.get("nodeSelector"),
        "tolerations": where.get("tolerations"),
        "priority_class_name": env.site.sessions.priority_class,
    }
    return {name: value for name, value in traits.items() if value}


def placement(env: Environment) -> dict[str, Any]:
    """The nodes of sessions, as a pod's spec has it."""
    wish = env.site.sessions
    tolerations = [{key: value for key, value in one.model_dump().items() if value} for one in wish.tolerations]
    where = {"nodeSelector": wish.node_selector, "tolerations": tolerations}
    return {name: value for name, value in where.items() if value}


def _session_security() -> Traits:
    """What the `restricted` Pod Security level asks for; image checks run under the same."""
    return {
        "uid": NOTEBOOK_UID,
        "gid": NOTEBOOK_GID,
        "fs_gid": NOTEBOOK_GID,
        "allow_privilege_escalation": False,
        "container_security_context": {
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "pod_security_context": {
            "runAsNonRoot": True,
            "fsGroup": NOTEBOOK_GID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
