# mypy: ignore-errors
"""The hub's configuration: the same file for every tenant. What differs arrives as data.

settings.json: {"traits": {class: {trait: value}}}; images.json, pinned.json, shares.json and s3.json: the
notebooks' images and storage, read at every spawn; message.json: the message of the day, read at every page;
login/ and secrets/: one file for each value that must not be seen.
Nothing here is made from a VREEnvironment. Runs under JupyterHub 5 and 6.
"""

import asyncio
import base64
import html
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from jupyterhub.handlers import BaseHandler
from oauthenticator.generic import GenericOAuthenticator

sys.path.insert(0, str(Path(__file__).parent))
from vre_choices import image_pulled, profiles
from vre_given import SETTINGS, TOKENS, listed, secret
from vre_pods import completed

c = get_config()  # noqa: F821  JupyterHub provides it

CA_FILE = Path(os.environ.get("VRE_CA_FILE", "/etc/vre/ca/ca.crt"))


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


# --- the settings -------------------------------------------------------------------------------------------

for section, traits in SETTINGS["traits"].items():
    c[section].update(traits)

c.JupyterHub.authenticator_class = Login
c.JupyterHub.db_url = secret("login/database_url")
c.JupyterHub.cookie_secret = bytes.fromhex(secret("secrets/cookie-secret"))
# The first encrypts, each of them decrypts.
c.CryptKeeper.keys = [bytes.fromhex(secret(f"secrets/{key}")) for key in ("crypt-key", "former-crypt-key")]
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
