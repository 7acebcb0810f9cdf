"""The login clients at the tenant's identity provider."""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.v1alpha1 import ProviderKind
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Policy, Resource

COMPONENT = "identity"

# What the Secret must hold, by provider.
CREDENTIAL_KEYS = {
    ProviderKind.KEYCLOAK_ADMIN: ("client_id", "client_secret"),
    ProviderKind.KEYCLOAK_DCR: ("initial_access_token",),
    ProviderKind.GENERIC_DCR: ("initial_access_token",),
    ProviderKind.MANUAL: ("client_id", "client_secret"),
}


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
    if not env.spec.notebooks.enabled:
        return

    credential: dict[str, Ref] = {}
    if identity.credentials_secret:  # left out only where anybody may register
        secret = kube("v1/Secret", env.namespace, identity.credentials_secret.name)
        keys = CREDENTIAL_KEYS[identity.provider]
        yield workloads.external(COMPONENT, secret, "spec.identity.credentialsSecret", *keys)
        credential = {key: Ref(secret, key) for key in keys}
    home = f"https://{env.spec.hostname}"
    yield Resource(
        id=ids.client(env, ids.HUB),
        component=COMPONENT,
        body=reach
        | {
            "provider": identity.provider.value,
            "endpoints": {
                name: Ref(ids.issuer(env), name) for name in ("token_endpoint", "registration_endpoint")
            },
            "credential": credential,
            "redirect_uris": [f"{home}/hub/oauth_callback"],
            "post_logout_redirect_uris": [f"{home}/"],
            "scopes": list(identity.scopes),
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_post",
            "groups_claim": identity.groups_claim,
            "pkce": True,
            "display_name": f"Notebooks at {env.spec.hostname}",
        },
        origin="spec.identity",
    )
