# mypy: ignore-errors
"""The server's application, with a look at who logs in to REANA's own pages.

uwsgi's `module = door:application`. REANA takes whoever the provider lets log in, and whatever e-mail address
comes with them for theirs (reana_server/ext.py): whoever can have any address at the provider would be whoever
they like. VRE_LOGIN: a file, {"claim": where a person's groups are, with dots, "groups": [who may come in], or
null for everybody}.
"""

import json
import os
from pathlib import Path

RULE = os.environ.get("VRE_LOGIN", "")


def groups(told, claim):
    for part in claim.split("."):
        told = told.get(part) if isinstance(told, dict) else None
    return set(told) if isinstance(told, list) else set()


def refused(told, rule):
    """Why somebody of whom the provider tells this is not let in, "" for nothing."""
    if told.get("email_verified") is not True:
        return "the provider has not verified the e-mail address"
    if rule["groups"] is not None and not groups(told, rule["claim"]) & set(rule["groups"]):
        return "none of the person's groups may come in"
    return ""


def admitted(asked, rule, unauthorized):
    """asked: as `get_user_info` of invenio_oauthclient, which is called once more to store what was told."""

    def asks(remote, answer, from_token_only=False):
        token, endpoint = asked(remote, answer, from_token_only=from_token_only)
        told = {**(endpoint or {}), **(token or {})}
        why = "" if from_token_only else refused(told, rule)
        if why:
            print(f"login refused: {why}", flush=True)
            raise unauthorized(why)
        return token, endpoint

    return asks


if RULE:
    from invenio_app.wsgi import application
    from invenio_oauthclient.contrib.keycloak import handlers
    from invenio_oauthclient.errors import OAuthClientUnAuthorized

    __all__ = ["application"]
    rule = json.loads(Path(RULE).read_text())
    handlers.get_user_info = admitted(handlers.get_user_info, rule, OAuthClientUnAuthorized)
