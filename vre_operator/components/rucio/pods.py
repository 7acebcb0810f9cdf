"""What pods of Rucio have in common: their files and their user."""

from __future__ import annotations

from dataclasses import dataclass

from vre_operator.components.package import data_file
from vre_operator.components.rucio import config
from vre_operator.components.workloads import Body, User, config_volume, mount
from vre_operator.engine.resources import ResourceId

SCRIPTS = {
    name: data_file("vre_operator.components.rucio", name) for name in ("alive.py", "ready.py", "schema.py")
}
SCRIPT_DIRECTORY = "/etc/vre/rucio"

# The official server starts as root: it writes its web server's configuration and drops to `apache`.
ROOT_USER = User(uid=0, gid=0)
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
# Whoever runs one program of an image and can be anybody.
NOBODY = User(uid=65534, gid=65534)
QUIET = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"}  # noqa: S108


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
