"""The program of the Job that makes REANA's database, with each generation's models and a real PostgreSQL."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from tests.reana.models import ADMINISTRATOR, Reana

# The first on a machine installs the models of both generations.
pytestmark = pytest.mark.timeout(900)

STATE = """
SELECT 'revision ' || version_num FROM __reana.alembic_version
UNION ALL SELECT 'resource ' || type_ || ' ' || unit FROM __reana.resource
UNION ALL SELECT 'user ' || id_ || ' ' || email FROM __reana.user_
UNION ALL SELECT 'limit ' || quota_limit FROM __reana.user_resource
UNION ALL SELECT 'token ' || status FROM __reana.user_token ORDER BY 1
"""
OWN = """
import json
from reana_db.models import UserToken
from reana_db.database import Session
rows = Session.query(UserToken).filter_by(token={token!r}).all()
print(json.dumps([[str(row.user_.id_), row.status.name] for row in rows]))
"""

RUNNING = """
import json, uuid
from reana_db.database import Session
from reana_db.models import RunStatus, User, Workflow
owner = Session.query(User).first()
for name, status in (("fit", "running"), ("count", "pending"), ("done", "finished"), ("later", "queued")):
    Session.add(Workflow(id_=uuid.uuid4(), name=name, owner_id=owner.id_, reana_specification={},
                         type_="serial", logs="", status=RunStatus[status]))
    Session.commit()
print(json.dumps(None))
"""


def of_token(reana: Reana, token: str = ADMINISTRATOR) -> object:
    """Whose REANA's server takes it for, and how it stands: as `get_user_from_token` asks."""
    return reana.ask(OWN.format(token=token))


def test_what_upstream_makes_and_the_administrator(reana: Reana) -> None:
    said = reana.prepared()
    assert said.splitlines()[0].startswith("schema: made ")
    state = reana.sql(STATE)
    assert "resource cpu milliseconds\nresource disk bytes_\n" in state
    assert "user 00000000-0000-0000-0000-000000000000 administrator@reana.invalid" in state
    assert state.count("limit") == 2, "resources come before people"
    assert of_token(reana) == [["00000000-0000-0000-0000-000000000000", "active"]]
    assert ADMINISTRATOR not in said
    # REANA's own program agrees on where the database stands.
    own = [str(reana.python.with_name("reana-db")), "alembic", "current"]
    current = subprocess.run(own, env=reana.environment, capture_output=True, text=True, check=True).stdout
    assert current.split()[0] in state
    assert "(head)" in current


def test_again_changes_nothing(newest: Reana) -> None:
    newest.prepared()
    before = newest.sql(STATE)
    assert newest.prepared().splitlines()[1:] == ["done"]
    assert newest.sql(STATE) == before


def test_killed_after_each_line_and_run_again(reana: Reana) -> None:
    """Each line stands for a commit. A kill that comes late leaves less for the next run to do."""
    for number in (1, 2, 3):
        program = subprocess.Popen(
            reana.command("database.py"), env=reana.environment, stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        for _ in range(number):
            program.stdout.readline()
        program.kill()
        program.wait()
        program.stdout.close()
    said = reana.prepared().splitlines()
    assert said[0].endswith("as it should be")
    assert said[-1] == "done"
    state = reana.sql(STATE)
    assert [state.count(f"{what} ") for what in ("revision", "resource", "user", "limit")] == [1, 2, 1, 2]
    assert of_token(reana) == [["00000000-0000-0000-0000-000000000000", "active"]]


def test_upstreams_own_half_made_database_is_told(newest: Reana) -> None:
    own = [str(newest.python.with_name("reana-db")), "init"]
    subprocess.run(own, env=newest.environment, check=True, capture_output=True)
    done = newest.prepare()
    assert done.returncode == 1
    assert "tables and no version of REANA's schema" in done.stderr
    assert "`reana-db alembic init`" in done.stderr


def make_older(reana: Reana) -> None:
    """The database of a version before it."""
    if reana.generation == "0.95":
        # What it makes anew it cannot take back: a constraint has another name then. As sites have it, then.
        replace(reana, generation="0.9").prepared()
    else:
        reana.prepared()
        down = [str(reana.python.with_name("reana-db")), "alembic", "downgrade", "--", "-1"]
        subprocess.run(down, env=reana.environment, check=True, capture_output=True)


def test_an_older_schema_waits_for_a_word(reana: Reana) -> None:
    make_older(reana)
    older = reana.sql(STATE)
    revision = reana.sql("SELECT version_num FROM __reana.alembic_version")
    refused = reana.prepare()
    assert refused.returncode == 1
    assert f"schema {revision} and this image needs" in refused.stderr
    assert "spec.workflows.schemaUpgrade" in refused.stderr
    assert reana.sql(STATE) == older
    assert "schema: upgraded" in reana.prepared("--upgrade")
    assert "as it should be" in reana.prepared("--upgrade")
    newer = reana.sql(STATE)
    assert [line for line in newer.splitlines() if "revision" not in line] == [
        line for line in older.splitlines() if "revision" not in line
    ], "people, tokens and limits are as they were"
    assert of_token(reana) == [["00000000-0000-0000-0000-000000000000", "active"]]


def test_an_upgrade_waits_for_what_runs(reana: Reana) -> None:
    make_older(reana)
    older = replace(reana, generation="0.9")
    older.ask(RUNNING)
    revision = reana.sql("SELECT version_num FROM __reana.alembic_version")
    refused = reana.prepare("--upgrade")
    assert refused.returncode == 1
    assert "waits for 2 workflows that run (count, fit)" in refused.stderr
    assert "spec.workflows.maxRunning to 0" in refused.stderr
    assert reana.sql("SELECT version_num FROM __reana.alembic_version") == revision
    reana.sql("UPDATE __reana.workflow SET status = 'finished'")
    assert "schema: upgraded" in reana.prepared("--upgrade")


def test_a_newer_schema_is_left_alone(newest: Reana) -> None:
    newest.prepared()
    newest.sql("UPDATE __reana.alembic_version SET version_num = 'f00'")
    refused = newest.prepare("--upgrade")
    assert refused.returncode == 1
    assert "was made by a newer REANA" in refused.stderr


def test_another_token_of_the_administrator_ends_the_former(newest: Reana) -> None:
    newest.prepared()
    assert "administrator: new token" in newest.prepared(REANA_ADMIN_ACCESS_TOKEN="b" * 48)
    who = "00000000-0000-0000-0000-000000000000"
    assert of_token(newest) == [[who, "revoked"]]
    assert of_token(newest, "b" * 48) == [[who, "active"]]


def test_another_key(reana: Reana) -> None:
    reana.prepared()
    before = reana.sql(STATE)
    for former in ({}, {"REANA_FORMER_SECRET_KEY": "not-it-either"}):
        refused = reana.prepare(REANA_SECRET_KEY="another", **former)
        assert refused.returncode == 1
        assert "Put the former key back" in refused.stderr
        assert ADMINISTRATOR not in refused.stderr + refused.stdout
    assert of_token(reana) == [["00000000-0000-0000-0000-000000000000", "active"]]
    new = {"REANA_SECRET_KEY": "another"}
    assert "encrypted with the new key" in reana.prepared(**new, REANA_FORMER_SECRET_KEY="the-key")
    reana.changed = new
    assert of_token(reana) == [["00000000-0000-0000-0000-000000000000", "active"]]
    assert reana.prepared(REANA_FORMER_SECRET_KEY="the-key").splitlines()[1:] == ["done"]
    assert reana.sql(STATE) == before


def test_the_framework_that_fails_says_so(newest: Reana) -> None:
    """Only the server's image has it: tests/reana has no server, so this is what a lack of it looks like."""
    done = newest.prepare("--framework")
    assert done.returncode == 1
    assert "invenio" in done.stderr
    assert "done" not in done.stdout


@pytest.mark.parametrize("statement", ["DROP SCHEMA __reana CASCADE", "DELETE FROM __reana.user_token"])
def test_what_somebody_removed_comes_back(newest: Reana, statement: str) -> None:
    newest.prepared()
    newest.sql(statement)
    newest.prepared()
    assert of_token(newest) == [["00000000-0000-0000-0000-000000000000", "active"]]
