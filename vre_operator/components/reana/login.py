"""REANA's own login at the identity provider (contracts/reana.md section 3.1)."""

from __future__ import annotations

import json

from vre_operator.components import ids
from vre_operator.components.context import Environment
from vre_operator.components.reana import store
from vre_operator.components.reana.settings import PROVIDER, Names
from vre_operator.engine.refs import Encode, Ref, Text
from vre_operator.engine.resources import Resource


def render(env: Environment, component: str) -> Resource:
    """REANA reads the first provider of a list, and takes it for a Keycloak: a key for tokens is expected at
    the realm's address, where of others files/realm.py tells it."""
    issuer, client = ids.issuer(env), ids.client(env, ids.REANA)
    base = env.spec.identity.issuer
    realm = base if ids.by_keycloak(env) else ids.REANA_REALM
    addresses = {
        "auth_url": "authorization_endpoint",
        "token_url": "token_endpoint",
        "userinfo_url": "userinfo_endpoint",
    }
    parts: list[str | Ref] = []
    for key, endpoint in addresses.items():
        parts += [f', "{key}": ', Ref(issuer, endpoint, Encode.JSON)]
    configs = Text(
        f'[{{"name": "{PROVIDER}", "type": "keycloak", "config": {{"title": ',
        json.dumps(env.spec.hostname),
        f', "base_url": {json.dumps(base)}, "realm_url": {json.dumps(realm)}',
        *parts,
        "}}]",
    )
    secrets = Text(
        f'{{"{PROVIDER}": {{"consumer_key": ',
        Ref(client, "client_id", Encode.JSON),
        ', "consumer_secret": ',
        Ref(client, "client_secret", Encode.JSON),
        "}}",
    )
    providers: dict[str, Ref | Text] = {
        "PROVIDER_CONFIGS": configs,
        "PROVIDER_SECRETS": secrets,
        "JWKS": Ref(issuer, "jwks_uri"),
    }
    return store.written(env, component, Names(env).login, providers, origin="spec.identity")
