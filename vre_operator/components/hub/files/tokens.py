# mypy: ignore-errors
"""Service `tokens` of the hub: gives a session the access token of its person, as long as there is one.

GET / with the session's own API token. The hub says whose it is, and renews the person's token on the way;
nothing is kept here, and no refresh token leaves. 401: no token of a session. 409: the person has to log in
again. Runs beside the hub under JupyterHub 5 and 6.
"""

import asyncio
import base64
import json
import os
import time

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import Application, RequestHandler

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


class Token(RequestHandler):
    async def get(self):
        status, told = await answer(self.request.headers.get("Authorization", ""))
        self.set_status(status)
        self.write(told)


async def answer(authorization):
    try:
        me = await ask("/user", authorization)
    except HTTPClientError as error:
        known = error.code not in (401, 403)
        return (503 if known else 401), {"message": f"the hub answers {error.code}"}
    session = f"access:servers!server={me.get('name')}/"
    if me.get("kind") != "user" or not any(scope.startswith(session) for scope in me.get("scopes", ())):
        return 401, {"message": "not the token of a session"}
    person = await ask(f"/users/{me['name']}", f"token {OWN}")
    token = (person.get("auth_state") or {}).get("access_token")
    if ends_at(token) < time.time() + SHORTEST:
        return 409, {"message": "log in again: the session at the identity provider has ended"}
    return 200, {"access_token": token, "expires_at": ends_at(token)}


async def main():
    Application([("/", Token)]).listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
