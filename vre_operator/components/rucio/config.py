"""rucio.cfg and alembic.ini, complete: where rucio.cfg exists, the image takes it as it is.

Sources: contracts/rucio.md sections 1.2, 2, 4 and 10. Both files are read with interpolation: a `%` is doubled.
"""

from __future__ import annotations

from vre_operator.api.data_lake import DaemonGroup
from vre_operator.components import ids
from vre_operator.components.context import Environment
from vre_operator.components.rucio import fts, login
from vre_operator.engine.refs import Encode, Ref, Text
from vre_operator.engine.resources import ResourceId

DIRECTORY = "/opt/rucio/etc"
ROOT_IDENTITY = "root"

# Each WSGI process has its own pool, and PostgreSQL counts connections for all services together.
PROCESSES = 2
THREADS = 4


def rucio_cfg(env: Environment, root: ResourceId) -> Text:
    """Everything that the image would otherwise fill in for CERN, a demo or nobody."""
    webui = env.spec.data_lake.hostname or env.spec.hostname
    return Text(
        "[common]\n",
        "logdir = /var/log/rucio\n",
        "loglevel = INFO\n",
        # The images have the templates elsewhere than the default says.
        "mailtemplatedir = /usr/local/rucio/etc/mail_templates\n",
        "\n[database]\n",
        Text("default = ", _url(env), "\n"),
        f"pool_size = {THREADS // 2}\n",
        f"max_overflow = {THREADS // 2 + 1}\n",
        "pool_recycle = 600\n",
        "pool_timeout = 20\n",
        "echo = 0\n",
        "\n[alembic]\n",
        f"cfg = {DIRECTORY}/alembic.ini\n",
        # What is missing here gives root to a password, a certificate, a principal and a key that all know.
        "\n[bootstrap]\n",
        f"userpass_identity = {ROOT_IDENTITY}\n",
        Text("userpass_pwd = ", Ref(root, "password", Encode.INI), "\n"),
        f"userpass_email = root@{env.spec.hostname}\n",
        *(f"{kind}_{field} =\n" for kind in ("x509", "gss", "ssh") for field in ("identity", "email")),
        "\n[policy]\n",
        "permission = generic\n",
        "schema = generic\n",
        "lfn2pfn_algorithm_default = hash\n",
        "\n[webui]\n",
        f"urls = https://{webui}\n",
        *login.config(env),
        *_conveyor(env),
        # No service, no events: without a daemon that sends them they would pile up in the database.
        "\n[hermes]\n",
        "services_list =\n",
    )


def _conveyor(env: Environment) -> list[str]:
    """The images' own defaults are CERN's, and know no davs."""
    if DaemonGroup.TRANSFERS not in env.spec.data_lake.daemons.groups:
        return []
    return [
        "\n[conveyor]\n",
        "scheme = davs,https,root\n",
        "failover_scheme = davs,https,root\n",
        "transfertool = fts3\n",
        "poll_timeout = 30\n",
        "submit_timeout = 60\n",
        *([f"usercert = {fts.PROXY_FILE}\n"] if fts.by_certificate(env) else []),
    ]


def alembic_ini(env: Environment) -> Text:
    """For the schema Job, and for whoever upgrades the schema by hand."""
    return Text(
        "[alembic]\n",
        "script_location = rucio.db.sqla:migrate_repo\n",
        Text("sqlalchemy.url = ", _url(env), "\n"),
        LOGGING,
    )


def _url(env: Environment) -> Text:
    database = ids.database_credentials(env, ids.RUCIO)
    return Text(
        "postgresql+psycopg://",
        Ref(database, "username", Encode.URL_INI),
        ":",
        Ref(database, "password", Encode.URL_INI),
        "@",
        Ref(database, "host", Encode.INI),
        ":",
        Ref(database, "port"),
        "/",
        # SQLAlchemy decodes user and password of a URL, but not this.
        Ref(database, "database", Encode.INI),
        # A server that is gone without a word would hold a thread for minutes.
        "?connect_timeout=5",
    )


# Alembic's environment configures logging from the file and fails without.
LOGGING = """
[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)s %(name)s %(message)s
"""
