# mypy: ignore-errors
"""Service `tokens` of the hub: gives a session what is its person's.

GET / gives the access token, as long as there is one; GET /reana the token for REANA, made where there is none.
With the session's own API token: the hub says whose it is, and renews the person's token on the way; nothing is
kept here, and no refresh token leaves. GET /jobs gives the access token to a job of a workflow, which shows the
card of its person (reana/files/stores.py). 401: no token of a session, no card. 403: the provider tells no
verified address, by which REANA knows people. 409: the person has to log in again. Runs beside the hub under
JupyterHub 5 and 6.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import Application, RequestHandler
from vre_given import SETTINGS, secret

HUB = os.environ["JUPYTERHUB_API_URL"]
OWN = os.environ["JUPYTERHUB_API_TOKEN"]
PORT = int(os.environ.get("VRE_TOKENS_PORT", "8082"))
# A token that ends sooner would be dead where it is used.
SHORTEST = 20


def ends_at(token):
    """Seconds since the epoch, 0 when it is no token that tells."""
    try:
        part = token.split(".")[1]
        return int(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return 0


async def ask(path, authorization, body=None):
    answer = await AsyncHTTPClient().fetch(
        f"{HUB}{path}",
        method="GET" if body is None else "POST",
        body=None if body is None else json.dumps(body),
        headers={"Authorization": authorization},
        request_timeout=60,
    )
    return json.loads(answer.body)


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Token(RequestHandler):
    async def get(self):
        try:
            self.write(await self.answer(await self.person(self.request.headers.get("Authorization", ""))))
        except Refused as refusal:
            self.set_status(refusal.status)
            self.write({"message": str(refusal)})

    async def person(self, authorization):
        """Whose session it is, as the hub knows them."""
        try:
            me = await ask("/user", authorization)
        except HTTPClientError as error:
            known = error.code not in (401, 403)
            raise Refused(503 if known else 401, f"the hub answers {error.code}") from None
        session = f"access:servers!server={me.get('name')}/"
        if me.get("kind") != "user" or not any(scope.startswith(session) for scope in me.get("scopes", ())):
            raise Refused(401, "not the token of a session")
        return await ask(f"/users/{me['name']}", f"token {OWN}")

    async def answer(self, person):
        token = (person.get("auth_state") or {}).get("access_token")
        if ends_at(token) < time.time() + SHORTEST:
            raise Refused(409, "log in again: the session at the identity provider has ended")
        return {"access_token": token, "expires_at": ends_at(token)}


class Reana(Token):
    async def answer(self, person):
        told = (person.get("auth_state") or {}).get("oauth_user") or {}
        # Of an address that nobody verified anybody may have said that it is theirs.
        address = told.get("email") if told.get("email_verified") else None
        if not address:
            raise Refused(
                403,
                "the identity provider tells no verified e-mail address of yours, and by it REANA knows people",
            )
        wish = {"name": told.get("name"), "username": person["name"]}
        try:
            answer = await AsyncHTTPClient().fetch(
                SETTINGS["reana"] + quote(address, safe=""),
                method="PUT",
                body=json.dumps(wish),
                headers={"Authorization": "Bearer " + secret("reana/hub").strip()},
                request_timeout=30,
            )
        except (HTTPClientError, OSError):
            raise Refused(503, "REANA does not answer") from None
        return {"token": json.loads(answer.body)["token"]}


class Jobs(Token):
    async def person(self, authorization):
        """Whose job it is. What shows a token of theirs has the hub renew their login, as a session's does."""
        name, _, shown = authorization.removeprefix("token ").rpartition(".")
        made = hmac.new(secret("reana/jobs").strip().encode(), name.encode(), hashlib.sha256).hexdigest()
        if not name or not hmac.compare_digest(shown.encode(), made.encode()):
            raise Refused(401, "not the card of a person's job")
        path = f"/users/{quote(name, safe='')}"
        try:
            wish = {"expires_in": 60, "scopes": ["read:users:name!user"], "note": "a workflow's job"}
            passing = await ask(f"{path}/tokens", f"token {OWN}", wish)
            await ask("/user", f"token {passing['token']}")
            return await ask(path, f"token {OWN}")
        except HTTPClientError as error:
            if error.code in (401, 403, 404):
                raise Refused(409, "log in to the hub again: your login there has ended") from None
            raise Refused(503, f"the hub answers {error.code}") from None


async def main():
    served = [("/", Token)]
    served += [("/reana", Reana)] if "reana" in SETTINGS else []
    served += [("/jobs", Jobs)] if SETTINGS.get("jobs") else []
    Application(served).listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
