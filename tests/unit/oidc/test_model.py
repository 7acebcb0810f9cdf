"""Names, owners and bodies."""

from __future__ import annotations

import pytest

from vre_operator.engine.errors import Invalid
from vre_operator.targets.oidc.model import ClientSpec, ClientState, Owner

OWNER = Owner("cluster-1", "ocean", "vre", "uid-1", "hub")
BODY = {"provider": "keycloak-admin", "issuer": "https://login.example.org/realms/vre"}


def test_the_client_id_is_readable_and_stable() -> None:
    assert OWNER.client_id == "vre.cluster-1.ocean.vre.hub"
    assert OWNER.internal_id == Owner("cluster-1", "ocean", "vre", "uid-2", "hub").internal_id


def test_long_names_stay_short_and_different() -> None:
    ids = {Owner("c" * 36, "n" * 63, "x" * 200 + end, "u", "hub").client_id for end in "ab"}
    assert len(ids) == 2
    assert all(len(one) <= 200 for one in ids)


@pytest.mark.parametrize(
    ("marker", "ours"),
    [
        ("cluster-1/ocean/vre/uid-1", True),
        ("cluster-1/ocean/vre/uid-0", True),
        ("cluster-2/ocean/vre/uid-1", False),
        ("cluster-1/lake/vre/uid-1", False),
        ("", False),
    ],
)
def test_an_earlier_life_is_ours(marker: str, ours: bool) -> None:
    assert OWNER.owns(marker) is ours


def test_absent_keys_have_defaults_and_unknown_ones_do_no_harm() -> None:
    spec = ClientSpec.parse({**BODY, "something": "new"})
    assert spec.token_endpoint_auth_method == "client_secret_post"
    assert spec.pkce


@pytest.mark.parametrize(
    "uri",
    [
        "http://ocean.example.org/cb",
        "https://ocean.example.org/*",
        "https:///cb",
        "https://user@ocean.example.org/cb",
        "https://ocean.example.org/cb#x",
    ],
)
def test_a_redirect_uri_must_be_exact(uri: str) -> None:
    with pytest.raises(Invalid, match="redirect URI"):
        ClientSpec.parse({**BODY, "redirect_uris": [uri]}).check()


def test_how_the_provider_is_reached_is_not_part_of_the_registration() -> None:
    one = ClientSpec.parse({**BODY, "credential": {"client_secret": "a"}})
    assert one.same_client(ClientSpec.parse({**BODY, "credential": {"client_secret": "b"}}))
    assert not one.same_client(ClientSpec.parse({**BODY, "display_name": "x"}))


def test_no_secret_in_a_repr() -> None:
    body = {**BODY, "credential": {"client_id": "id", "client_secret": "canary-1"}}
    state = ClientState(OWNER, body, current="canary-2", pending="canary-3", rat="canary-4")
    assert "canary" not in f"{state!r} {state} {state.spec!r}"
    assert ClientState.load(state.dump()) == state
