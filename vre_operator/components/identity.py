"""The login clients at the tenant's identity provider."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from vre_operator.api.data_lake import Rse
from vre_operator.api.references import SecretName
from vre_operator.api.v1alpha1 import ProviderKind
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Policy, Resource, ResourceId

COMPONENT = "identity"

Body = dict[str, Any]

# What the Secret must hold, by provider.
_SERVICE_ACCOUNT = ("client_id", "client_secret")
CREDENTIAL_KEYS = {
    ProviderKind.KEYCLOAK_ADMIN: _SERVICE_ACCOUNT,
    ProviderKind.KEYCLOAK_DCR: ("initial_access_token",),
    ProviderKind.GENERIC_DCR: ("initial_access_token",),
    ProviderKind.IAM_ADMIN: _SERVICE_ACCOUNT,
    ProviderKind.IAM_DCR: _SERVICE_ACCOUNT,
    ProviderKind.OA4MP: _SERVICE_ACCOUNT,
    ProviderKind.MANUAL: _SERVICE_ACCOUNT,
}

_ENDS = "client_secret_expires_at"
_FIELD = "spec.identity.credentialsSecret"
_SITE_FIELD = "spec.defaults.identity.credentialsSecret of the VRESite"


class _Credential(NamedTuple):
    """secret: what registers clients, None only where anybody may. field: which names it."""

    secret: ResourceId | None
    field: str


def render(env: Environment) -> Iterable[Resource]:
    """The provider's discovery document, the credential, and a client for each service that logs people in."""
    site, identity = env.site, env.spec.identity
    reach = {"issuer": identity.issuer, "ca_bundle": site.ca_bundle, "allowed_cidrs": list(site.issuer_cidrs)}
    yield Resource(
        id=ids.issuer(env),
        component=COMPONENT,
        body=reach,
        policy=Policy.EXTERNAL,
        origin="spec.identity.issuer",
    )
    if env.spec.notebooks.enabled:
        yield from _hub(env, reach)
    if ids.rucio_logs_people_in(env):
        yield from _rucio(env, reach)
    if ids.reana_logs_people_in(env):
        yield from _reana(env, reach)
    if ids.people_known(env):
        yield from _people(env, reach)
    others = (ids.rucio_logs_people_in(env) or ids.reana_logs_people_in(env)) and not _by_hand(env)
    if (secret := _credential(env).secret) and (env.spec.notebooks.enabled or others):
        origin = "spec.identity" if env.tenant.lent else _FIELD
        yield workloads.external(COMPONENT, secret, origin, *CREDENTIAL_KEYS[identity.provider])


def _hub(env: Environment, reach: Body) -> Iterable[Resource]:
    home = f"https://{env.spec.hostname}"
    own = [_for_people(env, ids.notebooks_scope(env))] if ids.tokens_wanted(env) else []
    yield Resource(
        id=ids.client(env, ids.HUB),
        component=COMPONENT,
        body=reach
        | _registration(env, _credential(env))
        | {
            "redirect_uris": [f"{home}/hub/oauth_callback"],
            "post_logout_redirect_uris": [f"{home}/"],
            "scopes": [*env.spec.identity.scopes, *(scope["name"] for scope in own)],
            "own_scopes": own,
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_post",
            "groups_claim": env.spec.identity.groups_claim,
            "pkce": True,
            "display_name": f"Notebooks at {env.spec.hostname}",
        },
        origin="spec.identity",
    )


def _rucio(env: Environment, reach: Body) -> Iterable[Resource]:
    """People log in with it, and its daemons get tokens for storages with it."""
    lake = env.spec.data_lake
    own = _own(env, lake.client_secret, "spec.dataLake.clientSecret")
    credential = own if _by_hand(env) else _credential(env)
    if _by_hand(env) and credential.secret:
        keys = CREDENTIAL_KEYS[ProviderKind.MANUAL]
        yield workloads.external(COMPONENT, credential.secret, credential.field, *keys)
    grants = ["authorization_code", "refresh_token"] if lake.hostname else []
    if lake.storage or any(_by_token(rse) for rse in lake.rses):
        grants.append("client_credentials")
    # A provider that registers by itself refuses scopes that it does not know.
    told = env.spec.identity.provider in (ProviderKind.KEYCLOAK_ADMIN, ProviderKind.MANUAL)
    scopes = _scopes(env) if told or lake.storage else []
    yield Resource(
        id=ids.client(env, ids.RUCIO),
        component=COMPONENT,
        body=reach
        | _registration(env, credential)
        | {
            "redirect_uris": [f"https://{lake.hostname}/auth/oidc_code"] if lake.hostname else [],
            "post_logout_redirect_uris": [],
            "scopes": ["openid", "profile", "email", *(scope["name"] for scope in scopes)],
            "own_scopes": scopes,
            "grant_types": grants,
            # Rucio sends the secret in a header, JupyterHub in the body.
            "token_endpoint_auth_method": "client_secret_basic",
            "groups_claim": env.spec.identity.groups_claim,
            "pkce": False,
            "display_name": f"Data lake of {env.spec.hostname}",
        },
        origin="spec.dataLake",
    )


def _reana(env: Environment, reach: Body) -> Iterable[Resource]:
    """People log in to REANA's own pages with it."""
    workflows = env.spec.workflows
    own = _own(env, workflows.client_secret, "spec.workflows.clientSecret")
    credential = own if _by_hand(env) else _credential(env)
    if _by_hand(env) and credential.secret:
        keys = CREDENTIAL_KEYS[ProviderKind.MANUAL]
        yield workloads.external(COMPONENT, credential.secret, credential.field, *keys)
    yield Resource(
        id=ids.client(env, ids.REANA),
        component=COMPONENT,
        body=reach
        | _registration(env, credential)
        | {
            "redirect_uris": [f"https://{workflows.hostname}/api/oauth/authorized/keycloak/"],
            "post_logout_redirect_uris": [],
            "scopes": ["openid", "profile", "email"],
            "own_scopes": [],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "client_secret_post",
            "groups_claim": env.spec.identity.groups_claim,
            "pkce": False,
            "display_name": f"Workflows of {env.spec.hostname}",
        },
        origin="spec.workflows",
    )


def _people(env: Environment, reach: Body) -> Iterable[Resource]:
    identity, wish = env.spec.identity, env.spec.data_lake.people
    origin = "spec.dataLake.people" if ids.people_wanted(env) else "spec.workflows"
    own = _own(env, wish.credentials_secret, "spec.dataLake.people.credentialsSecret")
    if own.secret:
        yield workloads.external(COMPONENT, own.secret, own.field, *_SERVICE_ACCOUNT)
    credential = own if own.secret else _credential(env)
    by_scim = {"scim": {"url": wish.scim.url, "scope": wish.scim.scope}} if wish.scim else {}
    yield Resource(
        id=ids.people(env),
        component=COMPONENT,
        body=reach
        | _registration(env, credential, _SERVICE_ACCOUNT)
        | by_scim
        | {
            "groups": identity.groups,
            "labels": sorted(_labels(env)),
            "everybody": identity.allow_all,
            "every": env.site.people_seconds,
        },
        origin=origin,
    )


def _labels(env: Environment) -> set[str]:
    """Groups that let nobody in, and say what somebody is who is let in by another."""
    named = {quota.group for quota in env.spec.data_lake.people.quotas}
    named |= {quota.group for quota in env.spec.workflows.quotas if env.spec.workflows.enabled}
    return named - {"", *env.spec.identity.groups}


def _scopes(env: Environment) -> list[Body]:
    """contracts/rucio.md, last section: names as Rucio builds them, and audiences as storages compare them."""
    storages = env.spec.data_lake.storage
    people = _for_people(env, ids.rucio_scope(env))
    rights = [
        {
            "name": f"storage.{right}:{ids.storage_path(env, one.name)}",
            "audiences": [one.hostname],
            "wlcg": True,
        }
        for one in storages
        for right in ("read", "modify")
    ]
    # Rucio asks for this name at every FTS.
    fts = [{"name": "fts", "audiences": [], "shared": True}] if storages else []
    return [people, *rights, *fts]


def _for_people(env: Environment, name: str) -> Body:
    """What makes a person's token good for this Rucio and its storages, and for nobody else's."""
    hosts = [one.hostname for one in env.spec.data_lake.storage]
    return {"name": name, "audiences": [ids.rucio_audience(env), *hosts], "wlcg": True, "groups": True}


def _by_token(rse: Rse) -> bool:
    return any(one.name == "oidc_support" and one.value.lower() == "true" for one in rse.attributes)


def _by_hand(env: Environment) -> bool:
    return env.spec.identity.provider is ProviderKind.MANUAL


def _own(env: Environment, secret: SecretName | None, field: str) -> _Credential:
    return _Credential(kube("v1/Secret", env.namespace, secret.name) if secret else None, field)


def _credential(env: Environment) -> _Credential:
    """What registers clients: the tenant's, or what its site lends it."""
    if env.tenant.lent:
        return _Credential(env.tenant.lent, _SITE_FIELD)
    return _own(env, env.spec.identity.credentials_secret, _FIELD)


def _registration(env: Environment, credential: _Credential, keys: tuple[str, ...] = ()) -> Body:
    """keys: of the Secret, where they are others than to register clients."""
    identity, (secret, field) = env.spec.identity, credential
    refs: dict[str, Ref] = {}
    if secret:
        refs = {key: Ref(secret, key) for key in keys or CREDENTIAL_KEYS[identity.provider]}
        if _by_hand(env) and not keys:  # a person may know when the secret ends; nobody else does
            refs[_ENDS] = Ref(secret, _ENDS, otherwise="")
    endpoints = ["token_endpoint", "registration_endpoint"]
    if _by_hand(env):  # what a person entered is tried there
        endpoints.append("authorization_endpoint")
    return {
        "provider": identity.provider.value,
        "endpoints": {name: Ref(ids.issuer(env), name) for name in endpoints},
        "credential": refs,
        "credential_field": field,
    }
