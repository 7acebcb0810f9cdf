"""What a job has of the data lake: its person, a way to a token, and where the lake is.

These files go into each person's own Secret at REANA (files/stores.py), which REANA mounts into every job of
theirs. There is no side-car to keep a token fresh, so `lake.py COMMAND` does it while the command runs.
"""

from __future__ import annotations

from vre_operator.components import person
from vre_operator.components.context import Environment
from vre_operator.components.package import data_file

SECRETS = "/etc/reana/secrets"
"""Where REANA mounts them."""
DIRECTORY = "/tmp/vre-lake"  # noqa: S108  of a pod that is its person's alone
_TOKEN = f"{DIRECTORY}/token"


def files(env: Environment) -> dict[str, str]:
    """By name, as jobs have them; vre-person comes to it, who they are."""
    return {
        "rucio.cfg": person.rucio_cfg(
            env,
            "# Written by vre-operator. `python3 lake.py COMMAND` keeps the token fresh while it runs.",
            "auth_type = oidc",
            f"auth_token_file_path = {_TOKEN}",
        ),
        "lake.py": data_file("vre_operator.components.reana", "lake.py"),
        "session_token.py": data_file("vre_operator.components.hub", "session_token.py"),
        "vre-service": f"{person.tokens(env)}jobs",
        **({"ca.crt": env.site.ca_bundle} if env.site.ca_bundle else {}),
    }
