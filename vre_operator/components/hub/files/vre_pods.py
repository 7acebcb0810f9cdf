# mypy: ignore-errors
"""The pod of a session with what depends on who it is for: the home, shares, credentials."""

import time

from kubernetes_asyncio.client import (
    V1ConfigMapVolumeSource,
    V1Container,
    V1EnvVar,
    V1PersistentVolumeClaimVolumeSource,
    V1SecretVolumeSource,
    V1Volume,
    V1VolumeMount,
)
from kubernetes_asyncio.client.rest import ApiException
from vre_given import TOKENS, listed

# `vre homes` shows it.
LAST_START = "vre.science/last-start"


async def completed(spawner, pod):
    """The pod with what depends on who it is for."""
    if TOKENS:
        with_token(spawner, pod)
    if spawner.storage_pvc_ensure:
        await keep_home(spawner)
    await with_shares(spawner, pod)
    with_s3(spawner, pod)
    return pod


async def keep_home(spawner):
    """Write on it when it was last used, and ask for as much as a new home has. A volume that cannot grow, or
    has more, stays as it is."""
    where = spawner.pvc_name, spawner.namespace
    today = time.strftime("%Y-%m-%d", time.gmtime())
    try:
        home = await spawner.api.read_namespaced_persistent_volume_claim(*where)
        if (home.metadata.annotations or {}).get(LAST_START) != today:
            note = {"metadata": {"annotations": {LAST_START: today}}}
            await spawner.api.patch_namespaced_persistent_volume_claim(*where, note)
        if home.spec.resources.requests["storage"] != spawner.storage_capacity:
            wish = {"spec": {"resources": {"requests": {"storage": spawner.storage_capacity}}}}
            await spawner.api.patch_namespaced_persistent_volume_claim(*where, wish)
    except ApiException as error:
        spawner.log.info("the home %s stays as it is: %s", spawner.pvc_name, error.reason)


async def with_shares(spawner, pod):
    """The volumes that this person has, as far as they exist."""
    groups = {group.name for group in spawner.user.groups}
    for share in listed("shares"):
        if share["groups"] and groups.isdisjoint(share["groups"]):
            continue
        if not await exists(spawner, share["claim"]):
            spawner.log.warning("the share %s is left out: there is no %s", share["name"], share["claim"])
            continue
        name = f"share-{share['name']}"
        claim = V1PersistentVolumeClaimVolumeSource(claim_name=share["claim"])
        only_read = share["readOnly"] or (share["writers"] and groups.isdisjoint(share["writers"]))
        mount = V1VolumeMount(
            name=name,
            mount_path=share["path"],
            read_only=bool(only_read),
            mount_propagation=share["propagation"],
        )
        pod.spec.volumes.append(V1Volume(name=name, persistent_volume_claim=claim))
        pod.spec.containers[0].volume_mounts.append(mount)


def with_s3(spawner, pod):
    """The credentials that this person may use, as profiles of AWS's tools."""
    groups = {group.name for group in spawner.user.groups}
    allowed = [one for one in listed("s3") if not one["groups"] or groups.intersection(one["groups"])]
    if not allowed:
        return
    notebook = pod.spec.containers[0]
    pod.spec.volumes.append(V1Volume(name="s3", config_map=V1ConfigMapVolumeSource(name="s3", optional=True)))
    notebook.volume_mounts.append(V1VolumeMount(name="s3", mount_path="/etc/vre/s3", read_only=True))
    for one in allowed:
        # Without them the session starts, and AWS's tools say what they lack.
        secret = V1SecretVolumeSource(secret_name=one["secret"], default_mode=0o440, optional=True)
        mount = V1VolumeMount(name=one["secret"], mount_path=one["path"], read_only=True)
        pod.spec.volumes.append(V1Volume(name=one["secret"], secret=secret))
        notebook.volume_mounts.append(mount)
    notebook.env += [
        V1EnvVar("AWS_CONFIG_FILE", "/etc/vre/s3/config"),
        V1EnvVar("AWS_PROFILE", allowed[0]["name"]),
    ]


async def exists(spawner, claim):
    try:
        await spawner.api.read_namespaced_persistent_volume_claim(claim, spawner.namespace)
    except ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def with_token(spawner, pod):
    """Beside the notebook a container of its own image that keeps the person's token fresh in a file."""
    notebook = pod.spec.containers[0]
    known = {"JUPYTERHUB_API_TOKEN"}
    notebook.env.append(V1EnvVar("RUCIO_ACCOUNT", spawner.user.name))
    pod.spec.containers.append(
        V1Container(
            name="token",
            image=notebook.image,
            image_pull_policy=notebook.image_pull_policy,
            command=TOKENS["command"],
            env=[variable for variable in notebook.env if variable.name in known],
            resources=TOKENS["resources"],
            security_context=notebook.security_context,
            volume_mounts=[
                *(mount for mount in notebook.volume_mounts if mount.name in TOKENS["mounts"]),
                V1VolumeMount(name=TOKENS["volume"], mount_path=TOKENS["directory"]),
            ],
        )
    )
