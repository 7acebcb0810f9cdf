"""How REANA's programs are told what they need: names, environment, and files.

Sources: contracts/reana.md sections 1.2 to 1.5 and 10. Everything of a tenant's REANA has the prefix `reana`,
in the namespace that is only its own. Its passwords are hexadecimal: it writes them into URLs as they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vre_operator.api.rules import quantity
from vre_operator.components import ids
from vre_operator.components.context import Environment, kube
from vre_operator.components.package import json_file
from vre_operator.components.workloads import Body, User, secret_key
from vre_operator.engine.resources import FORMER, ResourceId

SHARED = "/var/reana"
VOLUME = "reana-shared-persistent-volume"
PROGRAMS = "/etc/vre/reana"
PROVIDER = "vre"
LOGIN = "login.json"
CREDENTIALS = "/run/vre/people"
LAKE = "/etc/vre/lake"
TRUST = "/run/vre/trust"
AUTHORITIES = f"{TRUST}/ca.pem"

# REANA's own images have no other user; workspaces belong to group 0.
ROOT = User(uid=0, gid=0)
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")

UWSGI = """\
[uwsgi]
http = 0.0.0.0:5000
http-keepalive = 1
module = {module}
pythonpath = {programs}
master = true
processes = {processes}
threads = {threads}
enable-threads = true
single-interpreter = true
need-app = true
vacuum = true
lazy-apps = true
buffer-size = 32768
post-buffering = true
wsgi-disable-file-wrapper = true
disable-logging = true
log-5xx = true
max-requests = 1999
max-requests-delta = 149
reload-on-rss = {rss}
die-on-term = true
hook-master-start = unix_signal:2 gracefully_kill_them_all
hook-master-start = unix_signal:15 gracefully_kill_them_all
max-fd = 1048576
"""


@dataclass(frozen=True, slots=True)
class Names:
    """What lies in the namespace of workflows."""

    env: Environment

    def _secret(self, name: str) -> ResourceId:
        return kube("v1/Secret", self.env.workflows, f"reana-{name}")

    @property
    def key(self) -> ResourceId:
        """What opens people's tokens in the database."""
        return self._secret("secrets")

    @property
    def administrator(self) -> ResourceId:
        return self._secret("admin-access-token")

    @property
    def database(self) -> ResourceId:
        return self._secret("db-secrets")

    @property
    def broker(self) -> ResourceId:
        return self._secret("message-broker-secrets")

    @property
    def cache(self) -> ResourceId:
        return self._secret("cache-secrets")

    @property
    def login(self) -> ResourceId:
        return self._secret("login-provider-secrets")

    @property
    def credentials(self) -> ResourceId:
        return self._secret("credentials")

    @property
    def programs(self) -> ResourceId:
        return kube("v1/ConfigMap", self.env.workflows, "reana-programs")

    @property
    def config(self) -> ResourceId:
        return kube("v1/ConfigMap", self.env.workflows, "reana-config")

    @property
    def lake(self) -> ResourceId:
        """What jobs have of the data lake."""
        return kube("v1/ConfigMap", self.env.workflows, "reana-lake")

    @property
    def kerberos(self) -> ResourceId:
        """krb5.conf, by the name that REANA's programs have for it; the chart's
        ValidatingAdmissionPolicy knows it by this name."""
        return kube("v1/ConfigMap", self.env.workflows, "reana-krb5-conf")

    @property
    def volume(self) -> ResourceId:
        return kube("v1/PersistentVolumeClaim", self.env.workflows, VOLUME)

    @property
    def infrastructure(self) -> ResourceId:
        """The ServiceAccount of REANA itself."""
        return kube("v1/ServiceAccount", self.env.workflows, "reana-infrastructure")

    @property
    def runtime(self) -> ResourceId:
        """The ServiceAccount of engines, whose token lies open to people's code; the chart's
        ValidatingAdmissionPolicy knows it by this name."""
        return kube("v1/ServiceAccount", self.env.workflows, "reana-runtime")


def common(env: Environment) -> dict[str, Any]:
    """What all of REANA's programs read."""
    names = Names(env)
    return {
        "REANA_COMPONENT_PREFIX": ids.REANA,
        "REANA_INFRASTRUCTURE_KUBERNETES_NAMESPACE": env.workflows,
        "REANA_RUNTIME_KUBERNETES_NAMESPACE": env.workflows,
        "REANA_HOSTNAME": env.spec.workflows.hostname or "",
        "REANA_HOSTPORT": "443",
        "REANA_DB_HOST": secret_key(names.database, "host"),
        "REANA_DB_PORT": secret_key(names.database, "port"),
        "REANA_DB_NAME": secret_key(names.database, "database"),
        "REANA_DB_USERNAME": secret_key(names.database, "user"),
        "REANA_DB_PASSWORD": secret_key(names.database, "password"),
        "RABBIT_MQ_USER": secret_key(names.broker, "user"),
        "RABBIT_MQ_PASS": secret_key(names.broker, "password"),
        "SHARED_VOLUME_PATH": SHARED,
        "WORKSPACE_PATHS": json.dumps([f"{SHARED}:{SHARED}"]),
        "DASK_ENABLED": "false",
        "REANA_LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
        "HOME": "/tmp",  # noqa: S108
        "GIT_PYTHON_REFRESH": "quiet",
        **({"REQUESTS_CA_BUNDLE": AUTHORITIES, "SSL_CERT_FILE": AUTHORITIES} if env.site.ca_bundle else {}),
    }


def key(env: Environment) -> dict[str, Any]:
    """For who reads people's tokens."""
    return {"REANA_SECRET_KEY": secret_key(Names(env).key, "REANA_SECRET_KEY")}


def former_key(env: Environment) -> dict[str, Any]:
    """For who encrypts the database anew after a rotation."""
    return {"REANA_FORMER_SECRET_KEY": secret_key(Names(env).key, f"{FORMER}REANA_SECRET_KEY")}


def administrator(env: Environment) -> dict[str, Any]:
    """For who acts as REANA's administrator."""
    token = secret_key(Names(env).administrator, "ADMIN_ACCESS_TOKEN")
    return key(env) | {"REANA_ADMIN_ACCESS_TOKEN": token}


def limits(env: Environment) -> dict[str, str]:
    """What server and controller have to agree on."""
    jobs = env.spec.workflows.jobs
    # Of somebody whom REANA makes itself, until the operator hears of it.
    everybody = next((one for one in quotas(env) if not one["group"]), {"cpu": 0, "disk": 0})
    return {
        "REANA_KUBERNETES_JOBS_MEMORY_LIMIT": jobs.memory,
        "REANA_KUBERNETES_JOBS_MAX_USER_MEMORY_LIMIT": jobs.max_memory,
        "REANA_KUBERNETES_JOBS_TIMEOUT_LIMIT": str(jobs.timeout_seconds),
        "REANA_KUBERNETES_JOBS_MAX_USER_TIMEOUT_LIMIT": str(jobs.max_timeout_seconds),
        "REANA_KUBERNETES_JOBS_MIN_USER_UID": "100",
        "REANA_DEFAULT_QUOTA_CPU_LIMIT": str(everybody["cpu"]),
        "REANA_DEFAULT_QUOTA_DISK_LIMIT": str(everybody["disk"]),
        "REANA_WORKFLOW_TERMINATION_QUOTA_UPDATE_POLICY": "cpu,disk",
        "REANA_INTERACTIVE_SESSIONS_ENVIRONMENTS": json.dumps(_sessions(env)),
        "REANA_VETTED_CONTAINER_IMAGES": json.dumps(vetted(env)),
    }


def quotas(env: Environment) -> list[Body]:
    """What the members of a group may use, everybody when it is empty: cpu in milliseconds, disk in bytes; 0
    where nothing is said."""
    return [
        {
            "group": one.group,
            "cpu": (one.cpu_hours or 0) * 3_600_000,
            "disk": int(quantity(one.disk)) if one.disk else 0,
        }
        for one in env.spec.workflows.quotas
    ]


def _sessions(env: Environment) -> Body:
    """A session on a workspace runs in an image of the catalogue. REANA gives each an Ingress of its own, which
    no Gateway serves: with one there are no images, and it says that it has none."""
    if env.spec.exposure.gateway:
        return {"jupyter": {"recommended": [], "allow_custom": False}}
    entries = [{"name": entry.name, "image": entry.image} for entry, _ in ids.entries(env)]
    return {"jupyter": {"recommended": entries, "allow_custom": False}}


def vetted(env: Environment) -> Body:
    """In which images jobs may run."""
    wish = env.spec.workflows
    if not wish.only_vetted:
        return {"enabled": False, "allowlist": []}
    # The probe's step runs in an image of REANA's own.
    probe = [ids.reana_images(env).server] if wish.probe.enabled else []
    allowed = {*(entry.image for entry, _ in ids.entries(env)), *wish.vetted_images, *probe}
    return {"enabled": True, "allowlist": sorted(allowed)}


def told(env: Environment) -> dict[str, str]:
    """Files of the server's configuration."""
    return {"ui-config.yaml": _pages(env), LOGIN: _door(env)}


def _door(env: Environment) -> str:
    """Who may log in to REANA's pages, for files/door.py."""
    identity = env.spec.identity
    allowed = None if identity.allow_all else identity.groups
    return json_file({"claim": identity.groups_claim, "groups": allowed})


def _pages(env: Environment) -> str:
    """ui-config.yaml (JSON is YAML): what REANA's pages and `/api/config` tell."""
    workflows = env.spec.workflows
    known = ids.reana_logs_people_in(env)
    login = [{"name": PROVIDER, "type": "keycloak", "config": {"title": env.spec.hostname}}] if known else []
    return json_file(
        {
            "announcement": env.spec.page.message or None,
            "polling_secs": 15,
            "docs_url": "https://docs.reana.io",
            "client_pyvenv": None,
            "forum_url": None,
            "chat_url": None,
            "privacy_notice_url": None,
            "cern_sso": False,
            "eosc_sso": False,
            "login_provider_config": login,
            "hide_signup": True,
            "admin_email": None,
            "maximum_interactive_session_inactivity_period": workflows.session_days,
            "local_users": False,
            "user_confirmation": False,
            "access_token_issuance_policy": "manual",
            "quota_enabled": True,
            "file_preview_size_limit": 5_242_880,
            "launcher_examples": [],
            "interactive_sessions": {"environments": _sessions(env)},
        }
    )
