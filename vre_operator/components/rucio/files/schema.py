# mypy: ignore-errors
"""Bring Rucio's database to what its server needs. May be killed at any point and run any number of times.

Runs in the server's image (Python 3.9 and later), from its own functions: tools/bootstrap.py of Rucio fails
when it runs twice, and rucio-init leaves a database whose version nobody knows.

Tables and version come in one transaction, so there is never a half-made schema of ours to repair; each later
step is one commit of Rucio's own and is skipped when its result is there. A database of an older version is
upgraded when `--upgrade` is given, in one transaction, too; any other, or one that somebody else made, is left
as it is.
"""

import os
import sys
from hashlib import sha256

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from rucio.common.config import config_get
from rucio.common.exception import IdentityNotFound, RucioException
from sqlalchemy import func, inspect, select, update

try:
    import rucio.core.permission  # noqa: F401 it imports the policy package, too
    from rucio.core.identity import verify_identity
    from rucio.db.sqla import models
    from rucio.db.sqla.constants import IdentityType
    from rucio.db.sqla.session import get_engine
    from rucio.db.sqla.util import create_base_vo, create_root_account
except RucioException as error:
    said = " ".join(str(error).split())
    sys.exit(
        f"{said}. Correct spec.dataLake.policyPackage, or have the site's admin put the package into the "
        "images of Rucio."
    )


def build_schema(connection, script):
    """All tables, and the version that they are; nothing when that is there already.

    Whether what is there is an older version, to be upgraded."""
    context = MigrationContext.configure(connection)
    wanted, found = script.get_current_head(), context.get_current_heads()
    if found == (wanted,):
        print(f"schema: {wanted}, as it should be")
    elif found:
        known = {revision.revision for revision in script.walk_revisions()}
        if known.issuperset(found):
            if "--upgrade" in sys.argv:
                print(f"schema: {', '.join(found)}, to become {wanted}")
                return True
            sys.exit(
                f"The database has Rucio's schema {', '.join(found)} and this image needs {wanted}. Back the "
                "database up and set spec.dataLake.schemaUpgrade to Automatic, or go back to the former image."
            )
        sys.exit(
            f"The database has Rucio's schema {', '.join(found)}, which this image does not know: it was made "
            "by a newer Rucio. Go back to that image."
        )
    elif tables := inspect(connection).get_table_names():
        sys.exit(
            f"The database holds {len(tables)} tables and no version of Rucio's schema. If Rucio made them, "
            "run `alembic stamp` with the revision of the Rucio that did; else use an empty database."
        )
    else:
        models.register_models(connection)
        context.stamp(script, "head")
        print(f"schema: made {wanted}")
    return False


def count(engine, column, value):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).where(column == value))


def keep_password(engine, identity, password):
    """The one of the configuration: another after a rotation. Salted and hashed as core/identity.py does."""
    try:
        verify_identity(identity, IdentityType.USERPASS, password)
    except IdentityNotFound:
        salt = os.urandom(255)
        hashed = sha256(salt + password.encode()).hexdigest()
        mine = (models.Identity.identity == identity, models.Identity.identity_type == IdentityType.USERPASS)
        with engine.begin() as connection:
            connection.execute(update(models.Identity).where(*mine).values(salt=salt, password=hashed))
        print("root account: new password")


def main():
    engine, alembic = get_engine(), Config(config_get("alembic", "cfg"))
    with engine.begin() as connection:
        older = build_schema(connection, ScriptDirectory.from_config(alembic))
    if older:
        command.upgrade(alembic, "head")
        print("schema: upgraded")
    if not count(engine, models.VO.vo, "def"):
        create_base_vo()
        print("virtual organisation: made")
    # Its last commit, so nothing is missing when it is there.
    root = config_get("bootstrap", "userpass_identity")
    if not count(engine, models.IdentityAccountAssociation.identity, root):
        create_root_account()
        print("root account: made")
    keep_password(engine, root, config_get("bootstrap", "userpass_pwd"))
    print("done")


if __name__ == "__main__":
    main()
