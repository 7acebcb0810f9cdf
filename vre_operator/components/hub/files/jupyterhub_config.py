# mypy: ignore-errors
"""The hub's configuration: the same file for every tenant. What differs arrives as data.

settings.json: {"traits": {class: {trait: value}}}; images.json, pinned.json and shares.json: the notebooks'
images and volumes, read at every spawn; message.json: the message of the day, read at every page; login/ and
secrets/: one file for each value that must not be seen.
Nothing here is made from a VREEnvironment. Runs under JupyterHub 5 and 6.
"""

import asyncio
import base64
import html
import json
import os
import tempfile
import time
from pathlib import Path

from jupyterhub.handlers import BaseHandler
from oauthenticator.generic import GenericOAuthenticator
from tornado.web import HTTPError

c = get_config()  # noqa: F821  JupyterHub provides it

ROOT = Path(os.environ.get("VRE_HUB_ROOT", "/etc/vre/hub"))
CA_FILE = Path(os.environ.get("VRE_CA_FILE", "/etc/vre/ca/ca.crt"))
SETTINGS = json.loads((ROOT / "config/settings.json").read_text())
TOKENS = SETTINGS.get("tokens")


def secret(name):
    return (ROOT / name).read_text()


def rejected(message):
    """What a person reads on the spawn page; below 500, so that it counts as their matter, not as a crash."""
    error = HTTPError(400, message)
    error.jupyterhub_message = message
    return error


# --- who may come in ----------------------------------------------------------------------------------------


class Login(GenericOAuthenticator):
    """Asks again at every refresh whether the person may be here: OAuthenticator asks at login only."""

    async def refresh_user(self, user, handler=None, **kwargs):
        refreshed = await self.renewed(user, handler)
        if refreshed is None:
            refreshed = await super().refresh_user(user, handler, **kwargs)
        if isinstance(refreshed, dict) and not await self.check_allowed(refreshed["name"], refreshed):
            self.log.warning("%s is in no allowed group any more: out, and the sessions end", user.name)
            if handler:
                # Beside this request, which the session itself may have made.
                ended = asyncio.ensure_future(end_sessions(user, handler))
                ENDING.add(ended)
                ended.add_done_callback(ENDING.discard)
            return False
        return refreshed

    async def renewed(self, user, handler):
        """With a new token before the old one ends: OAuthenticator waits until the provider refuses it."""
        state = await user.get_auth_state() or {}
        refresh_token = state.get("refresh_token")
        if not TOKENS or not refresh_token or lifetime(state.get("access_token")) > EARLY_SECONDS:
            return None
        try:
            parameters = self.build_refresh_token_request_params(refresh_token)
            answer = await self.get_token_info(handler, parameters)
            answer.setdefault("refresh_token", refresh_token)
            return await self._token_to_auth_model(answer)
        except Exception:
            return None  # the usual way finds the same, and says so

    def get_handlers(self, app):
        return [*super().get_handlers(app), ("/me", Me)]


# asyncio forgets what nobody holds.
ENDING = set()


async def end_sessions(user, handler):
    """Those that can be ended now: what is on its way asks again, and is met here again."""
    for name, spawner in list(user.spawners.items()):
        if spawner.active and not spawner.pending:
            try:
                await handler.stop_single_user(user, name)
            except Exception:
                handler.log.exception("a session of %s goes on", user.name)


# A session asks halfway through its token's life, and the shortest that providers give live five minutes.
EARLY_SECONDS = 200


def lifetime(token):
    """Seconds that are left of a token, many when it does not tell."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return claims["exp"] - time.time()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return float("inf")


def trusted():
    """The public CAs and the site's as one file: the HTTP clients replace the one by the other, never add."""
    import certifi

    bundle = Path(tempfile.gettempdir(), "ca-bundle.crt")
    bundle.write_text(Path(certifi.where()).read_text() + "\n" + CA_FILE.read_text())
    return str(bundle)


# --- what the pages tell ------------------------------------------------------------------------------------


class Me(BaseHandler):
    """GET /hub/me, for the landing page: the person's own sessions. Nobody's when nobody is logged in."""

    async def get(self):
        user = self.current_user
        names = {entry["name"]: entry["displayName"] for entry in listed("images")} if user else {}
        sessions = [session(spawner, names) for spawner in user.spawners.values()] if user else []
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        told = {"name": user and user.name, "sessions": [one for one in sessions if one]}
        self.finish(json.dumps(told))


def session(spawner, names):
    if not spawner.active:
        return None
    entry = (spawner.user_options or {}).get("profile", "")
    started = spawner.orm_spawner.started
    return {
        "name": spawner.name,
        "environment": names.get(entry, entry),
        "started": started and started.isoformat() + "Z",
        "ready": spawner.ready,
        "url": spawner.user.server_url(spawner.name),
    }


class Message:
    """The message of the day, as it stands when a page is made."""

    def __bool__(self):
        return bool(listed("message"))

    def __html__(self):
        return html.escape(listed("message"))


def listed(name):
    return json.loads((ROOT / f"images/{name}.json").read_text())


# --- what people may start ----------------------------------------------------------------------------------


def profiles(spawner):
    """The entries of the catalogue that this person may choose."""
    entries, pinned = listed("images"), listed("pinned")
    groups = {group.name for group in spawner.user.groups}
    admitted = [entry for entry in entries if not entry["groups"] or groups.intersection(entry["groups"])]
    chosen = spawner.user_options.get("profile")
    if chosen and chosen not in {entry["name"] for entry in admitted}:
        # Saved with the last start, and since then taken off the list: no other image may take its place.
        if spawner.pending == "spawn":
            raise rejected(f"The environment {chosen} is not offered any more. Please choose another one.")
        del spawner.user_options["profile"]
        chosen = None
    # What is hidden can be started again by those who have it.
    offered = [entry for entry in admitted if entry["name"] == chosen or not hidden(entry)]
    if not offered:
        raise rejected(
            "None of the environments here is open to your groups. Please ask whoever looks after them."
        )
    names = {entry["name"]: entry["displayName"] for entry in entries}
    return [
        {
            "slug": entry["name"],
            "display_name": title(entry),
            "description": text(entry, names),
            "default": position == 0,
            "kubespawner_override": {
                **entry["spawner"],
                "image": pinned.get(entry["name"], entry["spawner"]["image"]),
            },
        }
        for position, entry in enumerate(offered)
    ]


def hidden(entry):
    return entry["stage"] == "Hidden" or over(entry)


def over(entry):
    return bool(entry["until"]) and entry["until"] < time.strftime("%Y-%m-%d", time.gmtime())


def title(entry):
    """KubeSpawner puts it into the page as it is."""
    name = html.escape(entry["displayName"])
    if not entry["icon"]:
        return name
    icon = html.escape(entry["icon"])
    return f'<img src="{icon}" alt="" width="32" height="32" referrerpolicy="no-referrer"> {name}'


def text(entry, names):
    parts = [html.escape(entry["description"])] if entry["description"] else []
    if entry["stage"] != "Active":
        parts.append(f"<strong>{html.escape(warning(entry, names))}</strong>")
    if entry["documentation"]:
        page = html.escape(entry["documentation"])
        parts.append(f'<a href="{page}" target="_blank" rel="noopener noreferrer">Documentation</a>')
    return " ".join(parts)


def warning(entry, names):
    instead = names.get(entry["successor"], entry["successor"])
    advice = f"; take {instead} instead." if instead else "."
    if hidden(entry):
        return f"It is not offered any more{advice}"
    return (f"It is offered until {entry['until']}" if entry["until"] else "It will go") + advice


UNPULLABLE = {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}


async def image_pulled(spawner, _pod):
    """End a start whose image cannot be pulled: KubeSpawner would wait until its timeout."""
    key = f"{spawner.namespace}/{spawner.pod_name}"
    for _ in range(spawner.start_timeout):
        pod = spawner.pod_reflector.pods.get(key) or {}
        if spawner.is_pod_running(pod):
            return
        for container in pod.get("status", {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in UNPULLABLE:
                raise rejected(
                    f"The image {container['image']} cannot be pulled. "
                    "Choose another environment, and tell whoever looks after this one."
                )
        await asyncio.sleep(1)


async def completed(spawner, pod):
    """The pod with what depends on who it is for."""
    if TOKENS:
        with_token(spawner, pod)
    if spawner.storage_pvc_ensure:
        await grow_home(spawner)
    await with_shares(spawner, pod)
    return pod


async def grow_home(spawner):
    """Ask for as much as a new home has; a volume that cannot grow, or has more, stays as it is."""
    from kubernetes_asyncio.client.rest import ApiException

    where = spawner.pvc_name, spawner.namespace
    try:
        home = await spawner.api.read_namespaced_persistent_volume_claim(*where)
        if home.spec.resources.requests["storage"] != spawner.storage_capacity:
            wish = {"spec": {"resources": {"requests": {"storage": spawner.storage_capacity}}}}
            await spawner.api.patch_namespaced_persistent_volume_claim(*where, wish)
    except ApiException as error:
        spawner.log.info("the home %s stays as large as it is: %s", spawner.pvc_name, error.reason)


async def with_shares(spawner, pod):
    """The volumes that this person has, as far as they exist."""
    from kubernetes_asyncio.client import V1PersistentVolumeClaimVolumeSource, V1Volume, V1VolumeMount

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


async def exists(spawner, claim):
    from kubernetes_asyncio.client.rest import ApiException

    try:
        await spawner.api.read_namespaced_persistent_volume_claim(claim, spawner.namespace)
    except ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def with_token(spawner, pod):
    """Beside the notebook a container of its own image that keeps the person's token fresh in a file."""
    from kubernetes_asyncio.client import V1Container, V1EnvVar, V1VolumeMount

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


# --- the settings -------------------------------------------------------------------------------------------

for section, traits in SETTINGS["traits"].items():
    c[section].update(traits)

c.JupyterHub.authenticator_class = Login
c.JupyterHub.db_url = secret("login/database_url")
c.JupyterHub.cookie_secret = bytes.fromhex(secret("secrets/cookie-secret"))
c.CryptKeeper.keys = [bytes.fromhex(secret("secrets/crypt-key"))]
c.ConfigurableHTTPProxy.auth_token = secret("secrets/proxy-token")
for service in c.JupyterHub.services:
    service["api_token"] = secret(f"secrets/{service['name']}-token")

for trait in ("client_id", "client_secret", "authorize_url", "token_url", "userdata_url"):
    setattr(c.GenericOAuthenticator, trait, secret(f"login/{trait}"))
if CA_FILE.exists():
    c.GenericOAuthenticator.http_request_kwargs = {"ca_certs": trusted()}

c.JupyterHub.template_vars = {"announcement": Message()}
c.KubeSpawner.modify_pod_hook = completed
# So old may be what the hub knows of a person's groups, and what the service `tokens` gets of it.
c.Authenticator.auth_refresh_age = 60 if TOKENS else 120
c.KubeSpawner.profile_list = profiles
c.KubeSpawner.after_pod_created_hook = image_pulled
