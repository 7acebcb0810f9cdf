# mypy: ignore-errors
"""Service `tokens` of the hub: gives a session what is its person's.

GET / gives the access token, as long as there is one; GET /reana the token for REANA, made where there is none.
With the session's own API token: the hub says whose it is, and renews the person's token on the way; nothing is
kept here, and no refresh token leaves. 401: no token of a session. 403: the provider tells no verified address,
by which REANA knows people. 409: the person has to log in again. Runs beside the hub under JupyterHub 5 and 6.
"""

import asyncio
import base64
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


async def ask(path, authorization):
    headers = {"Authorization": authorization}
    answer = await AsyncHTTPClient().fetch(f"{HUB}{path}", headers=headers, request_timeout=60)
    return json.loads(answer.body)


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Token(RequestHandler):
    async def get(self):
        try:
            self.write(await self.answer(await person(self.request.headers.get("Authorization", ""))))
        except Refused as refusal:
            self.set_status(refusal.status)
            self.write({"message": str(refusal)})

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


async def person(authorization):
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


async def main():
    Application([("/", Token), *([("/reana", Reana)] if "reana" in SETTINGS else [])]).listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
