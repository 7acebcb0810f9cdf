"""Storage of the lake's own and Rucio at the provider: what several files have to agree on."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest

from tests.unit.components.scenarios import ISSUER, QUICKSTART, environment
from vre_operator.components import ids
from vre_operator.components.context import Environment
from vre_operator.components.registry import render
from vre_operator.engine.refs import Ref, encode, resolve
from vre_operator.engine.resources import Resource

NASTY = 'a "quoted" \\ 100% secret {}'


def lake(**fields: Any) -> Environment:
    storage = [{"name": "OCEAN-LAKE", "hostname": "lake.example.org"}]
    wish = {"enabled": True, "hostname": "rucio.example.org", "storage": storage} | fields
    return environment(QUICKSTART | {"dataLake": wish})


def one(env: Environment, kind: str, name: str) -> Resource:
    (found,) = [
        resource
        for resource in render(env)
        if resource.id.kind.rsplit("/", 1)[-1] == kind and resource.id.name == name
    ]
    return found


def text(env: Environment, kind: str, name: str, key: str) -> str:
    body = one(env, kind, name).body
    found = (body.get("stringData") or body["data"])[key]
    return str(resolve(found, lambda ref: encode(_value(ref), ref.encode), str))


def _value(ref: Ref) -> str:
    return "5432" if ref.output == "port" else NASTY


def test_scopes_are_what_rucio_builds_from_the_rse() -> None:
    """contracts/rucio.md: storage.<right>:<prefix>, audience the protocol's hostname."""
    env = lake()
    (protocol,) = one(env, "Rse", "OCEAN-LAKE").body["protocols"]
    scopes = {scope["name"]: scope for scope in one(env, "Client", "rucio").body["own_scopes"]}
    for right in ("read", "modify"):
        scope = scopes[f"storage.{right}:{protocol['prefix']}"]
        assert scope["audiences"] == [protocol["hostname"]]
    assert "fts" in scopes, "Rucio asks for it at every FTS"
    asked = one(env, "Client", "rucio").body
    assert set(asked["scopes"]) >= scopes.keys()
    assert "client_credentials" in asked["grant_types"]


def test_the_server_serves_what_the_rse_says() -> None:
    env = lake()
    rse = one(env, "Rse", "OCEAN-LAKE").body
    (protocol,) = rse["protocols"]
    server = text(env, "ConfigMap", "storage-ocean-lake", "xrootd.cfg")
    assert f"all.export {protocol['prefix'].rstrip('/')}\n" in server
    tokens = configparser.ConfigParser()
    tokens.read_string(text(env, "ConfigMap", "storage-ocean-lake", "scitokens.cfg"))
    assert tokens["Global"]["audience"] == protocol["hostname"]
    assert tokens["Issuer tenant"]["issuer"] == ISSUER
    ingress = one(env, "Ingress", "storage-ocean-lake").body["spec"]
    assert ingress["rules"][0]["host"] == protocol["hostname"]
    backend = ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "storage-ocean-lake", "port": {"number": 80}}
    assert (protocol["scheme"], protocol["port"]) == ("davs", 443)
    assert rse["attributes"]["oidc_support"] == "true"


def test_a_person_s_token_is_for_this_rucio_and_its_storages_alone() -> None:
    env = lake()
    scopes = {scope["name"]: scope for scope in one(env, "Client", "rucio").body["own_scopes"]}
    people = scopes[ids.rucio_scope(env)]
    settings = configparser.ConfigParser()
    settings.read_string(text(env, "Secret", "rucio-config", "rucio.cfg"))
    assert people["audiences"] == [settings["oidc"]["expected_audience"], "lake.example.org"]
    other = environment(QUICKSTART | {"hostname": "other.example.org", "dataLake": {"enabled": True}})
    assert ids.rucio_audience(other) not in people["audiences"]


def test_who_may_what_without_a_scope_of_the_storage() -> None:
    accounts = [{"name": "p", "scopes": ["ocean", "group.data"]}, {"name": "q", "scopes": ["raw"]}]
    rights = text(lake(accounts=accounts), "ConfigMap", "storage-ocean-lake", "authdb").splitlines()
    path = "/ocean/ocean-lake/"
    assert rights == [
        f"u = {path}user/@=/ a",
        f"g /ocean {path}group/data/ rl {path}ocean/ rl {path}raw/ rl",
    ]
    assert not any(line.startswith("u *") for line in rights)


def test_a_group_s_name_writes_no_rights() -> None:
    groups = ["a b", "x\nu\t*\t/\ta", "#", "*", "=", "fine/one", ""]
    identity = QUICKSTART["identity"] | {"allowedGroups": [group for group in groups if group]}
    wish = {"enabled": True, "storage": [{"name": "OCEAN-LAKE", "hostname": "lake.example.org"}]}
    wish["accounts"] = [{"name": "p", "scopes": ["ocean"]}]
    env = environment(QUICKSTART | {"identity": identity, "dataLake": wish})
    rights = text(env, "ConfigMap", "storage-ocean-lake", "authdb").splitlines()
    assert [line.split()[:2] for line in rights] == [["u", "="], ["g", "fine/one"]]


@pytest.mark.parametrize(
    ("issuer", "issuers", "own"),
    [
        ("https://sso.example.org/realms/x", {"people": "", "service": "/"}, "service"),
        ("https://iam.example.org/", {"people": ""}, "people"),
    ],
)
def test_rucio_knows_its_issuer_both_ways(issuer: str, issuers: dict[str, str], own: str) -> None:
    identity = {"issuer": issuer, "provider": "generic-dcr", "allowAll": True}
    env = environment(
        QUICKSTART | {"identity": identity, "dataLake": {"enabled": True, "hostname": "rucio.example.org"}}
    )
    told = json.loads(text(env, "Secret", "rucio-identity", "idpsecrets.json"))
    assert {name: entry["issuer"] for name, entry in told.items()} == {
        name: issuer + end for name, end in issuers.items()
    }
    for entry in told.values():
        assert entry["client_secret"] == NASTY
        assert entry["redirect_uris"] == ["https://rucio.example.org/auth/oidc_code"]
        # An empty one counts as none to the library that Rucio reads it with.
        assert entry["SCIM"]["client_id"]
    settings = configparser.ConfigParser()
    settings.read_string(text(env, "Secret", "rucio-config", "rucio.cfg"))
    assert settings["oidc"]["admin_issuer"] == own


def test_without_a_client_of_its_own_nothing_waits_for_one() -> None:
    identity = {"issuer": ISSUER, "provider": "manual", "credentialsSecret": {"name": "hub"}, "allowAll": True}
    env = environment(QUICKSTART | {"identity": identity, "dataLake": {"enabled": True}})
    names = {(resource.id.kind.rsplit("/", 1)[-1], resource.id.name) for resource in render(env)}
    assert ("Client", "rucio") not in names
    assert ("Secret", "rucio-identity") not in names
    server = one(env, "Deployment", "rucio").body["spec"]["template"]["spec"]
    assert "initContainers" not in server


@pytest.mark.parametrize(
    ("fts", "address", "service"),
    [
        (None, "http://transfers.ocean.svc.cluster.local:8446", True),
        ("https://fts.example.org:8446", "https://fts.example.org:8446", False),
    ],
)
def test_who_transfers(fts: str | None, address: str, service: bool) -> None:
    rses = [{"name": "OTHER"}, {"name": "OWN", "attributes": [{"name": "fts", "value": "https://own"}]}]
    groups = {"groups": ["Rules", "Transfers"]}
    env = lake(daemons=groups, transfers={"fts": fts} if fts else {}, rses=rses)
    told = {
        name: one(env, "Rse", name).body["attributes"].get("fts") for name in ("OCEAN-LAKE", "OTHER", "OWN")
    }
    assert told == {"OCEAN-LAKE": address, "OTHER": address, "OWN": "https://own"}
    workloads = {resource.id.name for resource in render(env) if resource.id.kind == "apps/v1/StatefulSet"}
    assert ("transfers" in workloads) is service
    assert "fts" not in one(lake(), "Rse", "OCEAN-LAKE").body["attributes"], "nobody transfers"
