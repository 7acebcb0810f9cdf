# ruff: noqa: S608  the names in these queries are our own
"""The script of the database Jobs, exactly as the Job has it, against a real PostgreSQL."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.postgres.server import ADMIN_PASSWORD, Server, running
from tests.unit.components.scenarios import QUICKSTART, environment
from vre_operator.components import database, ids

ODD_PASSWORDS = (
    "plain-secret",
    'it\'s "quoted"',
    r"back\slash:colon",
    "%s %% $HOME $$ `id` $(id)",
    ":role :'role' ;--",
    "snow\N{SNOWMAN} and space ",
    "a" * 300,
)

NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not pytest's own directory: its parents are closed to the user postgres.
    with tempfile.TemporaryDirectory(prefix="vre-postgres-") as directory:
        try:
            with running(Path(directory)) as server:
                yield server
        except FileNotFoundError as error:
            pytest.fail(str(error))


class Job:
    """The container of the hub's database Job, run here: its mounts become directories below `directory`."""

    def __init__(self, server: Server, directory: Path, name: str) -> None:
        env = environment(QUICKSTART)
        (job,) = (each for each in database.render(env) if each.id == ids.database_ready(env, ids.HUB))
        self.container = job.body["spec"]["template"]["spec"]["containers"][0]
        self.directory = directory
        self.admin = {
            "host": "127.0.0.1",
            "port": str(server.port),
            "username": "postgres",
            "password": ADMIN_PASSWORD,
        }
        self.role = {"username": name, "database": name, "password": "first"}

    def run(self) -> subprocess.CompletedProcess[str]:
        moved = {"ADMIN": "admin", "ROLE": "role", "PGPASSFILE": "pgpass"}
        names = [entry["name"] for entry in self.container["env"]]
        assert sorted(names) == sorted(moved)
        for name, values in (("admin", self.admin), ("role", self.role)):
            (self.directory / name).mkdir(exist_ok=True)
            for key, value in values.items():
                (self.directory / name / key).write_text(value)
        return subprocess.run(
            self.container["command"],
            env={"PATH": "/usr/bin:/bin"} | {name: str(self.directory / moved[name]) for name in names},
            cwd=self.directory,
            # A container has no terminal either; with one, psql would ask there.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeeds(self) -> None:
        done = self.run()
        assert done.returncode == 0, done.stderr


def login(server: Server, role: str, password: str, database: str, sql: str = "SELECT 1") -> str | None:
    """What the role reads by TCP, None when it is refused."""
    done = subprocess.run(
        ["psql", "-XAtq", "-h", "127.0.0.1", "-p", str(server.port), "-U", role, "-d", database, "-c", sql],
        env={"PATH": "/usr/bin:/bin", "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


@pytest.fixture
def job(server: Server, tmp_path: Path) -> Job:
    return Job(server, tmp_path, f"vre_{next(NUMBERS)}")


@pytest.mark.parametrize("password", ODD_PASSWORDS, ids=range(len(ODD_PASSWORDS)))
def test_any_password_works_twice_and_nobody_logs_it(server: Server, job: Job, password: str) -> None:
    job.role["password"] = password
    job.succeeds()
    job.succeeds()
    name = job.role["username"]
    assert login(server, name, password, name) == "1"
    assert login(server, name, password + "x", name) is None
    assert password not in server.log.read_text()
    assert not (job.directory / "pwned").exists()


def test_a_changed_password_replaces_the_old_one_and_the_data_stays(server: Server, job: Job) -> None:
    job.succeeds()
    name = job.role["username"]
    assert login(server, name, "first", name, "CREATE TABLE kept AS SELECT 42 AS answer") is not None
    job.role["password"] = "second"
    job.succeeds()
    assert login(server, name, "first", name) is None
    assert login(server, name, "second", name, "SELECT answer FROM kept") == "42"


def test_the_role_owns_its_database_is_nothing_else_and_others_stay_out(server: Server, job: Job) -> None:
    job.succeeds()
    name = job.role["username"]
    powers = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert server.sql(f"SELECT {powers} FROM pg_roles WHERE rolname = '{name}'") == "f"
    owner, encoding = server.sql(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database"
        f" WHERE datname = '{name}'"
    ).split("|")
    assert (owner, encoding) == (name, "UTF8")
    server.sql("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        assert login(server, "stranger", "stranger", "postgres") == "1"
        assert login(server, "stranger", "stranger", name) is None
    finally:
        server.sql("DROP ROLE stranger")


def test_a_server_that_is_too_old_is_told_before_anything_is_made(server: Server, job: Job) -> None:
    """Only the version of today's Debian runs here, so the bound is raised above it."""
    raised = [text.replace("oldest 12", "oldest 99") for text in job.container["command"]]
    assert raised != job.container["command"]
    job.container["command"] = raised
    done = job.run()
    assert done.returncode != 0
    assert " is too old; upgrade it, or name another server in spec.database.external" in done.stderr
    assert server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{job.role['username']}'") == "0"


def test_an_administrator_that_is_no_superuser_can_do_it(server: Server, job: Job) -> None:
    server.sql("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'manager'")
    job.admin |= {"username": "manager", "password": "manager"}
    job.succeeds()
    job.role["password"] = "second"
    job.succeeds()
    assert login(server, job.role["username"], "second", job.role["database"]) == "1"


def test_the_administrators_password_is_rotated_by_whichever_job_comes_first(
    server: Server, job: Job, tmp_path: Path
) -> None:
    """They come at once, each with the new password and the former one."""
    server.sql("CREATE ROLE chief LOGIN SUPERUSER PASSWORD 'former:one'")
    others = [Job(server, tmp_path / str(number), f"vre_{next(NUMBERS)}") for number in range(4)]
    jobs = [job, *others]
    for number, one in enumerate(jobs):
        one.directory.mkdir(exist_ok=True)
        one.admin |= {"username": "chief", "password": r"new\one'", "former-password": "former:one"}
        one.role["password"] = f"role {number}"
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in pool.map(Job.run, jobs):
            assert done.returncode == 0, done.stderr
    assert login(server, "chief", "former:one", "postgres") is None
    assert login(server, "chief", r"new\one'", "postgres") == "1"
    for number, one in enumerate(jobs):
        assert login(server, one.role["username"], f"role {number}", one.role["database"]) == "1"
    job.admin |= {"former-password": r"new\one'"}
    job.succeeds()
    job.admin |= {"password": "third", "former-password": "neither"}
    assert job.run().returncode != 0
    assert "new\\one" not in server.log.read_text()


def test_an_administrator_without_the_right_is_told_what_lacks_before_anything_happens(
    server: Server, job: Job
) -> None:
    server.sql("CREATE ROLE powerless LOGIN PASSWORD 'powerless'")
    job.admin |= {"username": "powerless", "password": "powerless"}
    done = job.run()
    assert done.returncode != 0
    assert "CREATEROLE and CREATEDB" in done.stderr
    assert server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{job.role['username']}'") == "0"


def test_a_wrong_administrators_password_fails_without_showing_any(server: Server, job: Job) -> None:
    job.admin["password"] = "wr0ng-secret"
    done = job.run()
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr
    assert "wr0ng-secret" not in done.stdout + done.stderr


def test_no_secret_is_in_argv_or_environment(job: Job) -> None:
    assert [entry["name"] for entry in job.container["env"] if "valueFrom" in entry] == []
    written = " ".join(job.container["command"])
    assert "PGPASSWORD" not in written
