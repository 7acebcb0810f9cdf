"""Rucio at the identity provider: what it has to know to take people's tokens and to get tokens of its own.

Sources: contracts/rucio.md section 5. Rucio reads its file once in the life of a process, and finds an issuer
without a trailing slash in two ways that contradict each other: so one with, and one without.
"""

from __future__ import annotations

import json

from vre_operator.components import ids
from vre_operator.components.context import Environment, kube
from vre_operator.engine.refs import Encode, Ref, Text
from vre_operator.engine.resources import Resource, ResourceId

DIRECTORY = "/etc/vre/rucio-identity"
_FILE = "idpsecrets.json"
PEOPLE = "people"
_OWN = "service"


def secret(env: Environment) -> ResourceId:
    """Secret with the file. Only where ids.rucio_logs_people_in."""
    return kube("v1/Secret", env.namespace, "rucio-identity")


def render(env: Environment, component: str) -> Resource:
    """The Secret."""
    issuer = env.spec.identity.issuer
    entries: list[Text | str] = [_entry(env, PEOPLE, issuer)]
    if not issuer.endswith("/"):
        entries += [",\n", _entry(env, _OWN, f"{issuer}/")]
    return Resource(
        id=secret(env),
        component=component,
        body={"type": "Opaque", "stringData": {_FILE: Text("{\n", *entries, "\n}\n")}},
        origin="spec.identity",
    )


def config(env: Environment) -> list[str]:
    """The section of rucio.cfg."""
    if not ids.rucio_logs_people_in(env):
        return []
    own = PEOPLE if env.spec.identity.issuer.endswith("/") else _OWN
    return [
        "\n[oidc]\n",
        f"idpsecrets = {DIRECTORY}/{_FILE}\n",
        f"admin_issuer = {own}\n",
        f"expected_audience = {ids.rucio_audience(env)}\n",
        "expected_scope = openid\n",
    ]


def _entry(env: Environment, nickname: str, issuer: str) -> Text:
    client = ids.client(env, ids.RUCIO)
    host = env.spec.data_lake.hostname
    redirects = [f"https://{host}/auth/oidc_code"] if host else []
    return Text(
        f"  {json.dumps(nickname)}: {{\n",
        f'    "issuer": {json.dumps(issuer)},\n',
        '    "client_id": ',
        Ref(client, "client_id", Encode.JSON),
        ',\n    "client_secret": ',
        Ref(client, "client_secret", Encode.JSON),
        f',\n    "redirect_uris": {json.dumps(redirects)},\n',
        # Without it, or with an empty client_id, no provider at all is loaded; nothing is asked with it.
        '    "SCIM": {"client_id": "unused", "client_secret": "unused"}\n  }',
    )
