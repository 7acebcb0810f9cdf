# mypy: ignore-errors
"""What the operator gave the hub: settings, secrets, and the lists that are read again and again."""

import json
import os
from pathlib import Path

from tornado.web import HTTPError

ROOT = Path(os.environ.get("VRE_HUB_ROOT", "/etc/vre/hub"))
SETTINGS = json.loads((ROOT / "config/settings.json").read_text())
TOKENS = SETTINGS.get("tokens")


def secret(name):
    return (ROOT / name).read_text()


def rejected(message):
    """What a person reads on the spawn page; below 500, so that it counts as their matter, not as a crash."""
    error = HTTPError(400, message)
    error.jupyterhub_message = message
    return error


def listed(name):
    return json.loads((ROOT / f"images/{name}.json").read_text())
