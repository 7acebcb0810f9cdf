"""Rucio from PyPI with the rendered configuration, on a real PostgreSQL: the schema survives kills, and the
readiness probe tells a dead database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import software
from tests.long import share
from tests.postgres.server import Server, programs, running
from tests.rucio.lake import ROOT_PASSWORD, Lake, login, new_lake, pinged, serving, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DIE = str(Path(__file__).with_name("die.py"))


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    # Not pytest's own directory: its parents are closed to the user postgres.
    with tempfile.TemporaryDirectory(prefix="vre-rucio-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    home = directory / "postgres"
    home.mkdir()
    with running(home) as server:
        yield server


def state(server: Server, lake: Lake) -> list[str]:
    """What must be the same however often the making was cut off."""
    queries = (
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT count(*) FROM pg_constraint",
        "SELECT version_num FROM alembic_version",
        "SELECT vo FROM vos",
        "SELECT account, account_type, status FROM accounts",
        "SELECT identity, identity_type, email FROM identities",
        "SELECT identity, identity_type, account, is_default FROM account_map",
    )
    return [server.sql(query, database=lake.files.name) for query in queries]


def test_schema_survives_kill_at_any_point(server: Server, directory: Path) -> None:
    whole = new_lake(server, directory, "whole")
    made = whole.python(DIE, str(whole.scripts / "schema.py"), "-1")
    assert made.returncode == 0, made.stderr
    wanted = state(server, whole)
    assert wanted[6] == "root|SERVICE|ACTIVE"
    steps = int(made.stdout.rsplit("steps:", 1)[1])

    # In the tables, around the first commit, and at every step of the small commits that follow it.
    points = share([2 * steps // 3, *range(steps - 17, steps), steps // 3, 0], 4)
    cut = new_lake(server, directory, "cut")
    for point in points:
        server.sql("DROP DATABASE cut WITH (FORCE)")
        server.sql('CREATE DATABASE cut OWNER "rucio cut 5%"')
        killed = cut.python(DIE, str(cut.scripts / "schema.py"), str(point))
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        again = cut.make_schema()
        assert again.returncode == 0, (point, again.stderr)
        assert state(server, cut) == wanted, f"killed at step {point} of {steps}"


def test_schema_of_another_version_is_left_alone(server: Server, directory: Path) -> None:
    lake = new_lake(server, directory, "versions")
    assert lake.make_schema().returncode == 0
    database = "versions"

    server.sql("UPDATE alembic_version SET version_num = 'feedfacecafe'", database=database)
    newer = lake.make_schema()
    assert newer.returncode == 1
    assert "made by a newer Rucio" in newer.stderr

    server.sql("UPDATE alembic_version SET version_num = 'a62db546a1f1'", database=database)
    older = lake.make_schema()
    assert older.returncode == 1
    assert "schemaUpgrade to Automatic" in older.stderr

    server.sql("DELETE FROM alembic_version", database=database)
    unknown = lake.make_schema()
    assert unknown.returncode == 1
    assert "alembic stamp" in unknown.stderr
    assert server.sql("SELECT count(*) FROM alembic_version", database=database) == "0"


def test_a_policy_package_that_does_not_import_is_named(
    server: Server, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is changed: whoever runs goes on with the former one."""
    lake = new_lake(server, directory, "policies")
    packages = directory / "packages"
    for name, code in (
        ("broken_policy", "import somewhere_else.that_is_not_there as _"),
        ("old_policy", "SUPPORTED_VERSION = ['<38.0']"),
        ("good_policy", "SUPPORTED_VERSION = ['>=38.0']"),
    ):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(code)
    (packages / "good_policy" / "permission.py").write_text("from rucio.core.permission.generic import *")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    for name in ("no_policy", "broken_policy", "old_policy"):
        monkeypatch.setenv("RUCIO_POLICY_PACKAGE", name)
        told = lake.make_schema()
        assert told.returncode == 1
        assert name in told.stderr.splitlines()[-1]
        assert "Correct spec.dataLake.policyPackage" in told.stderr.splitlines()[-1]
        assert server.sql(tables, database="policies") == "0"
    monkeypatch.setenv("RUCIO_POLICY_PACKAGE", "good_policy")
    made = lake.make_schema()
    assert made.returncode == 0, made.stderr


def test_an_older_schema_is_upgraded_as_a_whole_or_not_at_all(server: Server, directory: Path) -> None:
    """Killed at any statement of it, the old version could go on with what is there; again upgrades it."""
    lake = new_lake(server, directory, "older")
    assert lake.make_schema().returncode == 0
    wanted = state(server, lake)
    program = str(lake.scripts / "schema.py")

    def downgraded() -> list[str]:
        down = "from alembic import command; from alembic.config import Config; "
        code = f"{down}command.downgrade(Config({str(lake.files / 'alembic.ini')!r}), '-3')"
        assert lake.python("-c", code).returncode == 0
        return state(server, lake)

    before = downgraded()
    assert before != wanted
    assert lake.make_schema().returncode == 1
    assert state(server, lake) == before, "not unasked"
    made = lake.python(DIE, program, "-1", "--upgrade")
    assert made.returncode == 0, made.stderr
    assert state(server, lake) == wanted
    steps = int(made.stdout.rsplit("steps:", 1)[1])
    for point in share(sorted({*range(0, steps, max(1, steps // 8)), steps - 1}), 4):
        assert downgraded() == before
        killed = lake.python(DIE, program, str(point), "--upgrade")
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        assert state(server, lake) in (before, wanted), point
        again = lake.make_schema("--upgrade")
        assert again.returncode == 0, (point, again.stderr)
        assert state(server, lake) == wanted, point


def test_readiness_follows_the_database(directory: Path) -> None:
    home = directory / "mortal"
    home.mkdir()
    with running(home) as database:
        lake = new_lake(database, directory, "served")
        assert lake.make_schema().returncode == 0
        port = database.port

    with serving(lake) as address:
        with restarted(home, port):
            wait_until(lambda: readiness(lake, address) == "")
            assert login(address, "root", ROOT_PASSWORD) == 200
            assert login(address, "root", "wrong") == 401
            assert login(address, "ddmlab", "secret") == 401, "what Rucio makes when told nothing"
        assert readiness(lake, address) == "HTTP status 500\n"
        assert pinged(address), "a restart would not help, so liveness must not fail"
        with restarted(home, port):
            wait_until(lambda: readiness(lake, address) == "")
    assert "refused" in readiness(lake, address)
    assert ROOT_PASSWORD not in (directory / "server.log").read_text()


def test_a_new_password_of_root_takes_the_place_of_the_former(server: Server, directory: Path) -> None:
    lake = new_lake(server, directory, "rotated")
    assert lake.make_schema().returncode == 0
    config = lake.files / "rucio.cfg"
    written = config.read_text()
    named = f"userpass_pwd = {ROOT_PASSWORD.replace('%', '%%')}\n"
    assert named in written
    config.write_text(written.replace(named, "userpass_pwd = another\n"))
    again = lake.make_schema()
    assert (again.returncode, "root account: new password" in again.stdout) == (0, True), again.stderr
    assert "new password" not in lake.make_schema().stdout
    with serving(lake) as address:
        assert login(address, "root", "another") == 200
        assert login(address, "root", ROOT_PASSWORD) == 401


def restarted(home: Path, port: int) -> AbstractContextManager[object]:
    """The server whose data `running` left behind."""
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={home}"]
    return software.process(
        [str(programs() / "postgres"), "-D", str(home / "data"), *(f"-c{each}" for each in settings)],
        home / "log",
        user="postgres" if os.geteuid() == 0 else None,
        stop=signal.SIGINT,
    )


def readiness(lake: Lake, address: str) -> str:
    """What the probe has against the server."""
    probe = [sys.executable, str(lake.scripts / "ready.py"), address]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr
