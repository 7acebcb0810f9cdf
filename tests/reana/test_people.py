"""The program that makes REANA's people, with each generation's models and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.postgres.server import Server
from tests.reana.models import CREDENTIALS, GENERATIONS, People, Reana, people

# The first on a machine installs the models of both generations.
pytestmark = pytest.mark.timeout(900)

ALICE = "alice@example.org"
OWNER = """
import json
from reana_db.models import User, UserToken
from reana_db.database import Session
row = Session.query(UserToken).filter_by(token={token!r}).one_or_none()
print(json.dumps(None if row is None else [row.user_.email, row.status.name, row.user_.full_name]))
"""


@dataclass
class Running:
    reana: Reana
    operator: People
    hub: People
    log: Path

    def owner(self, token: str) -> object:
        return self.reana.ask(OWNER.format(token=token))

    def listed(self) -> dict[str, dict[str, object]]:
        return {one["email"]: one for one in self.operator("GET", "/people").json()["people"]}


@contextmanager
def at_work(postgres: Server, generation: str, directory: Path) -> Iterator[Running]:
    reana = Reana(generation, postgres, f"people_{generation.replace('.', '_')}")
    reana.create()
    reana.prepared()
    with people(reana, directory) as (operator, hub):
        yield Running(reana, operator, hub, directory / "people.log")


@pytest.fixture(scope="module")
def running(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Of the newest generation."""
    with at_work(postgres, GENERATIONS[-1], tmp_path_factory.mktemp("people")) as work:
        yield work


@pytest.fixture(scope="module")
def before(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Of the generation before."""
    with at_work(postgres, GENERATIONS[0], tmp_path_factory.mktemp("people")) as work:
        yield work


@pytest.mark.parametrize("generation", ["before", "running"])
def test_a_life(generation: str, request: pytest.FixtureRequest) -> None:
    running: Running = request.getfixturevalue(generation)
    first = running.hub("PUT", f"/people/{ALICE}", {"name": "Alice Müller", "username": "alice"}).json()
    assert running.owner(first["token"]) == [ALICE, "active", "Alice Müller"]
    assert running.hub("PUT", f"/people/{ALICE}", {}).json() == first, "the same token for as long as it holds"
    assert running.listed()[ALICE] == {
        "id": first["id"],
        "email": ALICE,
        "active": True,
        "limits": {"cpu": 0, "disk": 1000},
        "used": {"cpu": 0, "disk": 0},
    }
    revision = running.reana.sql("SELECT version_num FROM __reana.alembic_version")
    assert running.operator("GET", "/people").json()["revision"] == revision

    assert running.hub("DELETE", f"/people/{ALICE}/token").ok
    assert running.owner(first["token"]) == [ALICE, "revoked", "Alice Müller"]
    assert running.listed()[ALICE]["active"] is False
    assert running.operator("DELETE", f"/people/{ALICE}/token").ok, "gone is gone"

    second = running.hub("PUT", f"/people/{ALICE}").json()
    assert second["id"] == first["id"]
    assert second["token"] != first["token"]
    assert running.owner(first["token"]) == [ALICE, "revoked", "Alice Müller"]

    assert running.operator("PUT", f"/people/{ALICE}/limits", {"cpu": 5, "disk": 0}).ok
    assert running.listed()[ALICE]["limits"] == {"cpu": 5, "disk": 0}
    log = running.reana.sql("SELECT action || ' ' || details::text FROM __reana.audit_log ORDER BY created")
    assert [line.split()[0] for line in log.splitlines()] == ["grant_token", "revoke_token", "grant_token"]
    for secret in (first["token"], second["token"], *CREDENTIALS.values()):
        assert secret not in log + running.log.read_text()


def test_the_probe_is_itself_and_knows_nobody(running: Running) -> None:
    probe = People(running.hub.url, CREDENTIALS["probe"])
    itself = probe("PUT", "/people/probe@reana.invalid", {"username": "vre-probe"}).json()
    assert running.owner(itself["token"])[:2] == ["probe@reana.invalid", "active"]  # type: ignore[index]
    running.hub("PUT", f"/people/{ALICE}", {})
    for method, path in (
        ("GET", "/people"),
        ("PUT", f"/people/{ALICE}"),
        ("DELETE", f"/people/{ALICE}/token"),
        ("DELETE", "/people/probe@reana.invalid/token"),
        ("PUT", "/people/probe@reana.invalid/limits"),
        ("PUT", "/people/Probe@reana.invalid"),
    ):
        assert probe(method, path, {}).status_code == 404, (method, path)


def test_whom_reana_knew_before(running: Running) -> None:
    """Who logged in at REANA's own page has a row without a token."""
    running.reana.ask(
        "from reana_db.models import User; from reana_db.database import Session;"
        "Session.add(User(email='bob@example.org', username='bob')); Session.commit(); print('{}')"
    )
    token = running.hub("PUT", "/people/bob@example.org", {"name": "Bob"}).json()["token"]
    assert running.owner(token) == ["bob@example.org", "active", "Bob"]


def test_the_same_person_from_everywhere_at_once(running: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: running.hub("PUT", "/people/many@example.org", {}), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert running.reana.sql("SELECT count(*) FROM __reana.user_ WHERE email = 'many@example.org'") == "1"


def test_what_somebody_used_is_told(running: Running) -> None:
    running.hub("PUT", f"/people/{ALICE}", {})
    running.reana.sql("UPDATE __reana.user_resource SET quota_used = 77")
    assert running.listed()[ALICE]["used"] == {"cpu": 77, "disk": 77}


def test_the_provider_s_key_is_asked_for_without_a_credential(running: Running) -> None:
    """tests/oidc/test_realm_key.py has providers for it."""
    answer = People(running.hub.url, "a-person-s-token")("GET", "/realm")
    assert (answer.status_code, answer.json()) == (
        502,
        {"message": "the provider publishes no keys by https"},
    )


def test_the_administrator_is_not_among_them(running: Running) -> None:
    assert "administrator@reana.invalid" not in running.listed()
    for method, path in (("PUT", ""), ("DELETE", "/token"), ("PUT", "/limits")):
        answer = running.operator(method, f"/people/administrator@reana.invalid{path}", {"cpu": 1, "disk": 1})
        assert answer.status_code == 403, path


def test_what_the_hub_may_not(running: Running) -> None:
    assert running.hub("GET", "/people").status_code == 404
    assert running.hub("PUT", f"/people/{ALICE}/limits", {"cpu": 0, "disk": 0}).status_code == 404
    for wrong in ("", "x", CREDENTIALS["hub"] + "x"):
        stranger = People(running.hub.url, wrong)
        assert stranger("PUT", "/people/eve@example.org", {}).status_code == 401
    assert "eve@example.org" not in running.listed()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/people/nobody", {}, 400),
        ("PUT", f"/people/{'a' * 250}@example.org", {}, 400),
        ("PUT", "/people/eve@example.org", [], 400),
        ("PUT", "/people/stranger@example.org/limits", {"cpu": 0, "disk": 0}, 404),
        ("PUT", f"/people/{ALICE}/limits", {"cpu": -1, "disk": 0}, 400),
        ("PUT", f"/people/{ALICE}/limits", {"cpu": True, "disk": 0}, 400),
        ("PUT", f"/people/{ALICE}/limits", {"cpu": 1}, 400),
        ("DELETE", "/people/stranger@example.org/token", None, 404),
        ("GET", "/", None, 404),
    ],
)
def test_refused(running: Running, method: str, path: str, body: object, status: int) -> None:
    answer = running.operator(method, path, body)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_hostile_names_are_text(running: Running) -> None:
    name = "Robert'); DROP TABLE __reana.user_; -- \N{SNOWMAN}" + "x" * 500
    address = "o'brien+x/../y@example.org"
    token = running.hub("PUT", f"/people/{quote(address, safe='')}", {"name": name, "username": "%s"}).json()[
        "token"
    ]
    assert running.owner(token) == [address, "active", name[:255]]


def test_no_database_is_told_and_comes_back(running: Running) -> None:
    assert running.hub("PUT", "/people/carol@example.org", {}).ok
    database = running.reana.database
    running.reana.postgres.sql(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
    running.reana.postgres.sql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608
    )
    try:
        answers = [running.operator("GET", "/people") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {503}
        assert "does not answer as it should" in answers[0].json()["message"]
    finally:
        running.reana.postgres.sql(f"ALTER DATABASE {database} CONNECTION LIMIT -1")
    assert "carol@example.org" in running.listed()
