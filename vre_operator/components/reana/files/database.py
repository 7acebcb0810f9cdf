# mypy: ignore-errors
"""Bring REANA's database to what its components need. May be killed at any point and run any number of times.

    database.py [--upgrade] [--framework]

Runs in the server's image (Python 3.8 and later; reana-db 0.9 and 0.95), from REANA's own models: after
`reana-db init` that is killed nobody knows the database's version, `quota create-default-resources` fails when
it runs twice, and `create-admin-user` prints the administrator's token once and never again.

Tables and version come in one transaction. Each later step is one commit, and is skipped when its result is
there: the resources that quotas count, before the first person; with --framework the web framework's tables
(what makes them can be repeated); the administrator, with the token in REANA_ADMIN_ACCESS_TOKEN. Tokens lie
encrypted by REANA_SECRET_KEY: what only REANA_FORMER_SECRET_KEY opens is encrypted anew, in one commit.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import reana_db
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from reana_db.database import Session, engine
from reana_db.models import Base, Resource, User, UserTokenStatus
from reana_db.utils import change_key_encrypted_columns
from sqlalchemy import inspect, text
from sqlalchemy.schema import CreateSchema

SCHEMA = "__reana"
ADMINISTRATOR = "00000000-0000-0000-0000-000000000000"
# No login leads to it: REANA finds people by their address, and nobody has one there (RFC 2606).
ADDRESS = "administrator@reana.invalid"
RUNNING = "SELECT name FROM __reana.workflow WHERE status::text IN ('running', 'pending') ORDER BY name"
TOKEN = re.compile(r"[-\w]{16,255}", re.ASCII)


def alembic():
    """Absolute, because the file of reana-db names its scripts from where it lies."""
    package = Path(reana_db.__file__).parent
    config = Config(str(package / "alembic.ini"))
    config.set_main_option("script_location", str(package / "alembic"))
    config.set_main_option("version_locations", str(package / "alembic/versions"))
    return config


def drained(connection):
    """What runs was started by the former version, and goes on to write as that does."""
    names = [row[0] for row in connection.execute(text(RUNNING))]
    if names:
        shown = ", ".join(names[:5]) + (", ..." if names[5:] else "")
        sys.exit(
            f"The upgrade of REANA's database waits for {len(names)} workflows that run ({shown}). Set "
            "spec.workflows.maxRunning to 0, so that no others start, and wait for these, or have them stopped."
        )


def build_schema(connection, script):
    """All tables, and the version that they are; nothing when that is there already.

    Whether what is there is an older version, to be upgraded."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    wanted, found = script.get_current_head(), context.get_current_heads()
    if found == (wanted,):
        print(f"schema: {wanted}, as it should be")
    elif found:
        known = {revision.revision for revision in script.walk_revisions()}
        if known.issuperset(found):
            if "--upgrade" in sys.argv:
                drained(connection)
                print(f"schema: {', '.join(found)}, to become {wanted}")
                return True
            sys.exit(
                f"The database has REANA's schema {', '.join(found)} and this image needs {wanted}. Back the "
                "database up and set spec.workflows.schemaUpgrade to Automatic, or go back to the former image."
            )
        sys.exit(
            f"The database has REANA's schema {', '.join(found)}, which this image does not know: it was made "
            "by a newer REANA. Go back to that image."
        )
    elif tables := inspect(connection).get_table_names(SCHEMA):
        sys.exit(
            f"The database holds {len(tables)} tables and no version of REANA's schema. If REANA made them, "
            "run `reana-db alembic init` with the image that did; else use an empty database."
        )
    else:
        if SCHEMA not in inspect(connection).get_schema_names():
            connection.execute(CreateSchema(SCHEMA))
        Base.metadata.create_all(bind=connection)
        context.stamp(script, "head")
        print(f"schema: made {wanted}")
    return False


def build_framework():
    for step in (["invenio", "db", "init"], ["invenio", "db", "create"]):
        done = subprocess.run(step, check=False, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            sys.exit(f"`{' '.join(step)}` failed: {said[-1]}")
    print("framework: made")


def readable(user):
    """The user's token; None where there is none. Raises KeyError where the key is another one."""
    try:
        token = user.access_token
    except Exception:
        token = ""
    # A wrong key now and then gives something that looks padded.
    if token is not None and not TOKEN.fullmatch(token):
        raise KeyError
    return token


def keep_readable(user):
    former = os.environ.get("REANA_FORMER_SECRET_KEY")
    try:
        return readable(user)
    except KeyError:
        Session.rollback()
    if former:
        try:
            change_key_encrypted_columns(former)
            token = readable(Session.query(User).filter_by(id_=ADMINISTRATOR).one())
            print("tokens: encrypted with the new key")
            return token
        except Exception:
            Session.rollback()
    sys.exit(
        "REANA_SECRET_KEY is not the key that encrypted the tokens in the database. Put the former key back "
        "into the Secret: without it everybody needs a new token."
    )


def build_administrator(wanted):
    user = Session.query(User).filter_by(id_=ADMINISTRATOR).one_or_none()
    if user is None:
        Session.add(User(id_=ADMINISTRATOR, email=ADDRESS, username="administrator", access_token=wanted))
        Session.commit()
        print("administrator: made")
        return
    token = keep_readable(user)
    if token == wanted:
        return
    user = Session.query(User).filter_by(id_=ADMINISTRATOR).one()
    if token is not None:
        user.active_token.status = UserTokenStatus.revoked
        Session.flush()
    user.access_token = wanted
    Session.commit()
    print("administrator: new token")


def main():
    config = alembic()
    with engine.begin() as connection:
        older = build_schema(connection, ScriptDirectory.from_config(config))
    if older:
        command.upgrade(config, "head")
        print("schema: upgraded")
    if made := Resource.initialise_default_resources():
        print(f"quotas: {', '.join(sorted(one.type_.name for one in made))}")
    if "--framework" in sys.argv:
        build_framework()
    build_administrator(os.environ["REANA_ADMIN_ACCESS_TOKEN"])
    print("done")


if __name__ == "__main__":
    main()
