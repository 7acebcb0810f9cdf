"""What pods of Rucio have in common: their files and their user."""

from __future__ import annotations

from dataclasses import dataclass

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment
from vre_operator.components.package import data_file
from vre_operator.components.rucio import config, login
from vre_operator.components.workloads import Body, User, config_volume, mount, scratch, secret_volume
from vre_operator.engine.resources import ResourceId

SCRIPTS = {
    name: data_file("vre_operator.components.rucio", name)
    for name in ("alive.py", "history.py", "prepare.py", "probe.py", "ready.py", "schema.py")
}
SCRIPT_DIRECTORY = "/etc/vre/rucio"
# What `preparation` leaves.
RUN_DIRECTORY = "/run/vre"
# Python's, OpenSSL's and the grid libraries' ways to be told whom to trust.
TRUST = {
    "REQUESTS_CA_BUNDLE": f"{RUN_DIRECTORY}/ca.pem",
    "SSL_CERT_FILE": f"{RUN_DIRECTORY}/ca.pem",
    "X509_CERT_DIR": f"{RUN_DIRECTORY}/certificates",
}

# The official server starts as root: it writes its web server's configuration and drops to `apache`.
ROOT_USER = User(uid=0, gid=0)
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
# Whoever runs one program of an image and can be anybody.
NOBODY = User(uid=65534, gid=65534)
QUIET = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"}  # noqa: S108


def policy(env: Environment) -> dict[str, str]:
    """The environment of whatever imports Rucio's server side. Not in rucio.cfg, which pods of a former policy
    read, too, when they start again."""
    package = env.spec.data_lake.policy_package
    return {"RUCIO_POLICY_PACKAGE": package} if package else {}


@dataclass(frozen=True, slots=True)
class Files:
    """The Secret with the configuration and the ConfigMap with the scripts."""

    configuration: ResourceId
    scripts: ResourceId

    @property
    def volumes(self) -> list[Body]:
        # Readable for all in the pod: the image's WSGI processes run as a user whose number is the image's.
        etc = {"name": "etc", "secret": {"secretName": self.configuration.name, "defaultMode": 0o444}}
        return [etc, config_volume("scripts", self.scripts)]

    @property
    def mounts(self) -> list[Body]:
        return [mount("etc", config.DIRECTORY), mount("scripts", SCRIPT_DIRECTORY)]


def preparation(env: Environment, *options: str) -> Body:
    """The container that writes RUN_DIRECTORY (files/prepare.py); its pod has the volumes scripts and run."""
    return workloads.container(
        env,
        "prepare",
        env.site.images.rucio_server,
        cpu=("10m", "1"),
        memory=("64Mi", "256Mi"),
        command=["python3", f"{SCRIPT_DIRECTORY}/prepare.py", RUN_DIRECTORY, *options],
        environment={**QUIET, "HOME": RUN_DIRECTORY},
        mounts=[
            mount("scripts", SCRIPT_DIRECTORY),
            mount("run", RUN_DIRECTORY, writable=True),
            *workloads.ca_mounts(env),
        ],
    )


@dataclass(frozen=True, slots=True)
class Provider:
    """How a pod of Rucio reaches the identity provider; nothing of it where Rucio is not known there."""

    env: Environment
    concerned: bool = True

    @property
    def wanted(self) -> bool:
        return self.concerned and ids.rucio_logs_people_in(self.env)

    @property
    def init(self) -> list[Body]:
        """Waits for the provider: Rucio asks it once in the life of a process."""
        if not self.wanted:
            return []
        issuer = self.env.spec.identity.issuer.rstrip("/")
        return [preparation(self.env, "--wait", f"{issuer}/.well-known/openid-configuration")]

    @property
    def environment(self) -> dict[str, str]:
        return TRUST if self.wanted else {}

    @property
    def mounts(self) -> list[Body]:
        if not self.wanted:
            return []
        return [mount("identity", login.DIRECTORY), mount("run", RUN_DIRECTORY)]

    @property
    def volumes(self) -> list[Body]:
        if not self.wanted:
            return []
        # Readable for all in the pod, as the configuration is.
        secret = secret_volume("identity", login.secret(self.env))
        secret["secret"]["defaultMode"] = 0o444
        return [secret, scratch("run", "64Mi"), *workloads.ca_volumes(self.env)]

    @property
    def config(self) -> list[ResourceId]:
        return [login.secret(self.env)] if self.wanted else []

    @property
    def needs(self) -> frozenset[ResourceId]:
        if not self.wanted:
            return frozenset()
        return workloads.ca_needs(self.env) | {login.secret(self.env)}
