"""From a login to a token for REANA, and from the provider's list to REANA's people.

Hub, operator and REANA's own models are real.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub.test_login import Browser, Hub, with_spec
from tests.postgres.server import Server
from tests.reana.models import CREDENTIALS, GENERATIONS, Reana, people
from tests.unit.components.scenarios import QUICKSTART
from vre_operator.components.package import data_file
from vre_operator.engine.errors import Forbidden
from vre_operator.engine.resources import REANA, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence
from vre_operator.targets.reana import ReanaTarget

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SPEC = QUICKSTART | {"dataLake": {}, "workflows": {"enabled": True, "hostname": "reana.ocean.example.org"}}
TENANT = Tenant(namespace="ocean", name="ocean", uid="uid", cluster_id="cluster")
ID = ResourceId(REANA, "People", "", "people")


@dataclass
class Whole:
    reana: Reana
    hub: Hub
    url: str

    def owner(self, token: str) -> Any:
        return self.reana.ask(
            "import json\nfrom reana_db.models import UserToken\nfrom reana_db.database import Session\n"
            f"row = Session.query(UserToken).filter_by(token={token!r}).one_or_none()\n"
            "print(json.dumps(row and [row.user_.email, row.status.name, row.user_.username]))"
        )

    def asked(self, token: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.tokens, timeout=30)
        connection.request("GET", "/reana", headers={"Authorization": f"token {token}"})
        with closing(connection), connection.getresponse() as answer:
            return answer.status, json.loads(answer.read())

    def session(self, user: str, **claims: Any) -> str:
        """Log in, and give an API token as a session has one."""
        browser = Browser(self.hub)
        assert browser.log_in(preferred_username=user, groups=["/ocean"], **claims) == 302
        scopes = {"scopes": [f"access:servers!server={user}/"]}
        status, body = browser.post(f"/hub/api/users/{user}/tokens", scopes)
        assert status == 201, body
        return str(json.loads(body)["token"])


@pytest.fixture(scope="module")
def whole(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    reana = Reana(GENERATIONS[-1], postgres, "whole")
    reana.create()
    reana.prepared()
    with (
        people(reana, tmp_path_factory.mktemp("people")) as (operator, hub),
        with_spec(SPEC, people=(f"{hub.url}/people/", hub.credential)) as running,
    ):
        yield Whole(reana, running, operator.url)


def test_a_session_gets_its_person_s_token(whole: Whole) -> None:
    session = whole.session("alice", email="alice@example.org", email_verified=True, name="Alice Müller")
    status, told = whole.asked(session)
    assert (status, set(told)) == (200, {"token"})
    assert whole.owner(told["token"]) == ["alice@example.org", "active", "alice"]
    assert whole.asked(session) == (200, told), "the same for as long as it holds"


def test_nobody_gets_a_token_by_an_address_that_is_not_verified(whole: Whole) -> None:
    """Where people may write their address themselves, anybody could be Alice."""
    for claims in ({"email": "alice@example.org"}, {"email": "alice@example.org", "email_verified": False}, {}):
        status, told = whole.asked(whole.session("mallory", **claims))
        assert status == 403
        assert "verified" in told["message"]


def test_others_get_nothing(whole: Whole) -> None:
    assert whole.asked("")[0] == 401
    assert whole.asked("0" * 32)[0] == 401


def test_what_a_session_runs_at_its_start(whole: Whole, tmp_path: Path) -> None:
    """The token is in the environment of what the session starts, and in no output."""
    session = whole.session("carol", email="carol@example.org", email_verified=True)
    program = tmp_path / "jupyter_server_config.py"
    program.write_text(data_file("vre_operator.components.hub", "reana_session.py"))

    def started(api_token: str) -> tuple[str, str]:
        code = (
            f"import runpy, os; runpy.run_path({str(program)!r});"
            " print('=', os.environ.get('REANA_ACCESS_TOKEN'))"
        )
        environment = {
            "JUPYTERHUB_API_TOKEN": api_token,
            "VRE_TOKENS_URL": f"http://127.0.0.1:{whole.hub.tokens}/",
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        said, _, token = done.stdout.rpartition("= ")
        return said + done.stderr, token.strip()

    said, token = started(session)
    assert whole.owner(token)[0] == "carol@example.org"
    assert said == ""
    said, token = started("0" * 32)
    assert token == "None"
    assert "no token for REANA (401)" in said


# --- the operator -------------------------------------------------------------------------------------------


def wish(whole: Whole, *names: str, **more: Any) -> Desired:
    told = [
        {"name": name, "email": f"{name}@example.org", "groups": ["deep"] if name == "dora" else []}
        for name in names
    ]
    quotas = [
        {"group": "", "cpu": 3_600_000, "disk": 1 << 30},
        {"group": "deep", "cpu": 7_200_000, "disk": 0},
    ]
    body = {
        "url": whole.url,
        "credential": CREDENTIALS["operator"],
        "people": json.dumps(told),
        "own": {},
        "quotas": quotas,
        "every": 300,
        "asleep": False,
    }
    return Desired(Resource(ID, "workflows"), body | more)


async def look(target: ReanaTarget, desired: Desired) -> Observation:
    seen = target.observe(TENANT, desired)
    return seen if isinstance(seen, Observation) else await seen


async def settle(target: ReanaTarget, desired: Desired) -> Observation:
    for _ in range(5):
        seen = await look(target, desired)
        if seen.presence is Presence.SYNCED:
            return seen
        await target.apply(TENANT, desired)
    raise AssertionError("it does not settle")


async def test_the_operator_makes_people_and_bounds_them(whole: Whole) -> None:
    now = [0.0]
    target = ReanaTarget(clock=lambda: now[0])
    seen = await settle(target, wish(whole, "dora", "emil"))
    known = whole.reana.ask(
        "import json\nfrom reana_db.models import User\nfrom reana_db.database import Session\n"
        "print(json.dumps({u.email: [str(u.id_), {r.resource.type_.name: r.quota_limit for r in u.resources}]"
        " for u in Session.query(User)}))"
    )
    for name, hours in (("dora", 2), ("emil", 1)):
        identity, limits = known[f"{name}@example.org"]
        assert f"reana-secretsstore-{identity}" in json.loads(seen.outputs["stores"])
        assert limits == {"cpu": hours * 3_600_000, "disk": 1 << 30}
    assert seen.report["people"] >= 2
    assert seen.report["revision"] == whole.reana.sql("SELECT version_num FROM __reana.alembic_version")


async def test_a_leaver_loses_the_token(whole: Whole) -> None:
    status, told = whole.asked(whole.session("frida", email="frida@example.org", email_verified=True))
    assert status == 200
    now = [0.0]
    target = ReanaTarget(clock=lambda: now[0])
    staying = ("alice", "carol", "dora", "emil")
    for _ in range(15):
        await settle(target, wish(whole, *staying))
        now[0] += 60
    assert whole.owner(told["token"])[1] == "revoked"


async def test_a_wrong_credential_is_told(whole: Whole) -> None:
    with pytest.raises(Forbidden, match="refuses the operator's credential"):
        await look(ReanaTarget(), wish(whole, credential="wrong"))
