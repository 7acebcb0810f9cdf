"""The data lake, as rendered."""

from __future__ import annotations

import ast
import configparser
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.components.printing import YamlSnapshots, to_yaml
from tests.unit.components.scenarios import QUICKSTART, environment, scenario
from vre_operator.components import ids, rucio
from vre_operator.components.context import Environment
from vre_operator.components.rucio.pods import SCRIPTS
from vre_operator.engine.refs import Ref, all_needs, encode, resolve
from vre_operator.engine.resources import Policy, Resource


def named(env: Environment, kind: str, name: str = "") -> Resource:
    return next(each for each in rucio.render(env) if each.id.kind.endswith(kind) and name in each.id.name)


def config(env: Environment, password: str) -> configparser.ConfigParser:
    def value(ref: Ref) -> str:
        return encode("5432" if ref.output == "port" else password, ref.encode)

    files = resolve(named(env, "Secret", "config").body["stringData"], value, str)
    parser = configparser.ConfigParser()
    parser.read_string(files["rucio.cfg"])
    alembic = configparser.ConfigParser()
    alembic.read_string(files["alembic.ini"])
    assert alembic["alembic"]["sqlalchemy.url"] == parser["database"]["default"]
    return parser


def test_an_attached_one_renders_as_reviewed(snapshot: SnapshotAssertion) -> None:
    assert to_yaml(rucio.render(scenario("attached"))) == snapshot(extension_class=YamlSnapshots)


@pytest.mark.parametrize(
    "name", ["quickstart", "full", "external-database", "suspended", "foreign-fts", "x509"]
)
def test_it_renders_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    text = to_yaml(rucio.render(scenario(name)))
    # The programs are reviewed as files.
    for script, source in SCRIPTS.items():
        program = "\n".join("      " + line if line else "" for line in source.splitlines())
        assert program in text
        text = text.replace(program, f"      (files/{script})")
    assert text == snapshot(extension_class=YamlSnapshots)


def test_nothing_when_the_tenant_wants_no_lake() -> None:
    assert not list(rucio.render(environment(QUICKSTART | {"dataLake": {"enabled": False}})))


@pytest.mark.parametrize("password", ["plain", "100%", "%(x)s", "a@b:c/d?e#f", "quo'te\"", "%%25"])
def test_any_password_survives_the_file(password: str) -> None:
    parser = config(scenario("quickstart"), password)
    assert parser["bootstrap"]["userpass_pwd"] == password
    url = parser["database"]["default"]
    assert url.startswith("postgresql+psycopg://")
    assert url.count("://") == 1


def test_every_root_identity_is_stated() -> None:
    section = config(scenario("quickstart"), "x")["bootstrap"]
    kinds = {key.split("_")[0]: section[key] for key in section if key.endswith("_identity")}
    assert kinds == {"userpass": "root", "x509": "", "gss": "", "ssh": ""}


def test_server_waits_for_schema_and_schema_for_database() -> None:
    env = scenario("quickstart")
    schema, server = named(env, "Job"), named(env, "Deployment")
    assert schema.id in all_needs(server)
    assert ids.database_ready(env, ids.RUCIO) in all_needs(schema)
    walls = {each.id for each in rucio.render(env) if each.id.kind.endswith("NetworkPolicy")}
    daemons = [named(env, "Deployment", name) for name in ids.rucio_daemons(env)]
    assert len(walls) == 2 + len(daemons)
    for pods in (server, schema, *daemons):
        assert walls <= all_needs(pods)
        assert pods is schema or schema.id in all_needs(pods)


def test_another_image_or_database_makes_another_schema_job() -> None:
    def job(spec: dict[str, Any], image: str = "a") -> str:
        return named(environment(spec, {"images": {"rucioServer": image}}), "Job").id.name

    external = QUICKSTART | {"database": {"external": {"secret": {"name": "pg"}}}}
    assert len({job(QUICKSTART), job(QUICKSTART, "b"), job(external)}) == 3
    assert job(QUICKSTART) == job(QUICKSTART | {"suspend": True})


def test_the_root_password_is_made_once_and_kept() -> None:
    root = named(scenario("quickstart"), "Secret", "root")
    assert root.policy is Policy.RETAIN
    assert set(root.generate) == {"password"}


def test_no_log_line_has_a_token_or_a_query() -> None:
    container = named(scenario("quickstart"), "Deployment").body["spec"]["template"]["spec"]["containers"][0]
    (log,) = (each["value"] for each in container["env"] if each["name"] == "RUCIO_LOG_FORMAT")
    assert "Auth-Token" not in log
    assert '"' not in log, "it stands between quotes in httpd's configuration"
    assert not {"%r", "%q"} & set(log.split())


def test_the_world_reaches_it_only_by_its_own_hostname() -> None:
    def sources(name: str) -> int:
        return len(named(scenario(name), "NetworkPolicy").body["spec"]["ingress"])

    assert (sources("quickstart"), sources("full")) == (1, 2)


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_programs_are_python_of_the_image(script: str) -> None:
    ast.parse(SCRIPTS[script], feature_version=(3, 9))
