"""Real providers, started once for a test run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from dev.oidc import keycloak, provider
from dev.oidc.keycloak import Server
from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.oidc.life import Life

REGISTRATION_TOKEN = "registration-token-of-the-strict-server"

Begin = Callable[..., Awaitable[Life]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with keycloak.running(tmp_path_factory.mktemp("keycloak")) as started:
        yield started


@pytest.fixture
async def realm(server: Server) -> AsyncIterator[Realm]:
    async with Realm(server) as made:
        yield made


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("strict")
    with provider.running(folder, REGISTRATION_TOKEN) as started:
        yield started


def keycloak_life(realm: Realm, kind: str, credential: dict[str, str], **options: Any) -> Life:
    endpoints = {
        "token_endpoint": f"{realm.issuer}/protocol/openid-connect/token",
        "registration_endpoint": f"{realm.issuer}/clients-registrations/openid-connect",
    }
    return Life(kind, realm.issuer, realm.server.ca, endpoints, credential, **options)


def strict_life(registry: Registry, **options: Any) -> Life:
    endpoints = {
        "token_endpoint": f"{registry.url}/token",
        "registration_endpoint": f"{registry.url}/reg",
    }
    credential = options.pop("credential", {"initial_access_token": REGISTRATION_TOKEN})
    return Life("generic-dcr", registry.url, registry.ca, endpoints, credential, **options)
