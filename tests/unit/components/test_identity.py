"""Whose field a message about a credential names."""

from dataclasses import replace

import pytest

from tests.unit.components.scenarios import TENANT, scenario
from vre_operator.components import identity
from vre_operator.components.context import Environment, kube


def fields(env: Environment) -> set[str]:
    found = [dict(one.body) for one in identity.render(env)]
    return {str(body["credential_field"]) for body in found if "credential_field" in body}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quickstart", {"spec.identity.credentialsSecret"}),
        ("full", {"spec.identity.credentialsSecret", "spec.dataLake.people.credentialsSecret"}),
        ("manual-lake", {"spec.identity.credentialsSecret", "spec.dataLake.clientSecret"}),
    ],
)
def test_the_tenants_own(name: str, expected: set[str]) -> None:
    assert fields(scenario(name)) == expected


def test_what_the_site_lends_is_the_sites_matter() -> None:
    """A tenant that is told of a field that it may not even write looks for the cause in its own manifest."""
    lent = replace(TENANT, lent=kube("v1/Secret", "vre-system", "registration"))
    expected = {"spec.defaults.identity.credentialsSecret of the VRESite"}
    assert fields(replace(scenario("quickstart"), tenant=lent)) == expected
