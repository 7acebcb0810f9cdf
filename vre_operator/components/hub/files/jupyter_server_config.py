# mypy: ignore-errors
"""Logs the person in at Rucio's JupyterLab extension, which otherwise wants a click in its settings first.

The extension's own database says who logged in (rucio-jupyterlab 41.0.0, handlers/base.py); the token stays
where it is. Jupyter runs this at the start of each session, whose image may have no extension.
"""

import json
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):
    from rucio_jupyterlab.db import get_db

    wish = json.loads(Path(__file__).with_suffix(".json").read_text())["RucioConfig"]
    for instance in wish["instances"]:
        get_db().set_rucio_auth_credentials(
            namespace=instance["name"],
            auth_type="oidc",
            params={"oidc_auth_source": instance["oidc_file_name"]},
        )
