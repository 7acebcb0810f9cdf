# mypy: ignore-errors
"""Runs in the hub's environment: what the configuration makes of KubeSpawner. Prints one JSON object."""

import asyncio
import json
import logging
import os
import sys
from collections import namedtuple

from jupyterhub.app import JupyterHub
from kubernetes_asyncio.client import (
    V1ObjectMeta,
    V1PersistentVolumeClaim,
    V1PersistentVolumeClaimSpec,
    V1VolumeResourceRequirements,
)
from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner
from traitlets import HasTraits

warnings = []
Group = namedtuple("Group", "name")
GROUPS = os.environ.get("GROUPS_OF_PERSON", "").split(",")


class Collect(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())


class Claims:
    """The API as the hub asks it for volumes. A home is what an earlier spec made it."""

    def __init__(self, api_client, refuses=0):
        self.api_client, self.refuses, self.patches, self.notes = api_client, refuses, [], {}

    async def read_namespaced_persistent_volume_claim(self, name, namespace):
        if name == "archive" or namespace != "ocean-notebooks":
            raise ApiException(status=404)
        requests = V1VolumeResourceRequirements(requests={"storage": "10Gi"})
        spec = V1PersistentVolumeClaimSpec(resources=requests)
        return V1PersistentVolumeClaim(metadata=V1ObjectMeta(annotations=self.notes), spec=spec)

    async def patch_namespaced_persistent_volume_claim(self, name, namespace, body):
        if self.refuses and "spec" in body:
            raise ApiException(status=self.refuses, reason="Forbidden")
        self.notes |= body.get("metadata", {}).get("annotations", {})
        self.patches.append([namespace, name, body])


def spawner(config, **options):
    made = KubeSpawner(_mock=True, config=config)
    made.log.addHandler(Collect(logging.WARNING))
    made.user_options = options
    if "PERSON" in os.environ:
        made.user.name = os.environ["PERSON"]
    made.user.groups = [Group(name) for name in GROUPS]
    return made


async def start(config, refuses=0, **options):
    """The pod and the claim of a session with these options, what became of its home, or why there is none."""
    made = spawner(config, **options)
    made._spawn_pending = True
    try:
        await made.load_user_options()
    except Exception as error:
        return {"refused": getattr(error, "jupyterhub_message", repr(error))}
    made.api = Claims(made.api.api_client, refuses)
    pod = await made.modify_pod_hook(made, await made.get_pod_manifest())
    claim = made.get_pvc_manifest()
    serialise = made.api.api_client.sanitize_for_serialization
    return {"pod": serialise(pod), "claim": serialise(claim), "patches": made.api.patches}


async def main(path, *profiles):
    app = JupyterHub()
    app.load_config_file(path)
    logging.getLogger("traitlets").addHandler(Collect(logging.WARNING))
    known = {}
    for base in (*app.classes, KubeSpawner, app.config.JupyterHub.authenticator_class):
        known |= {cls.__name__: cls.class_trait_names() for cls in base.__mro__ if issubclass(cls, HasTraits)}
    unknown = [
        f"{section}.{trait}"
        for section, traits in app.config.items()
        for trait in traits
        if trait not in known.get(section, ())
    ]
    stale = spawner(app.config, profile="gone")
    form = stale.options_form
    return {
        "unknown": unknown,
        "starts": {name: await start(app.config, profile=name) for name in profiles},
        "default": await start(app.config),
        "class cannot grow": await start(app.config, refuses=403),
        "form": await form(stale),
        "delete_pvc": stale.delete_pvc,
        "failure_limit": stale.consecutive_failure_limit,
        "warnings": [line for line in warnings if "is left out" not in line],
        "left_out": [line for line in warnings if "is left out" in line],
    }


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
