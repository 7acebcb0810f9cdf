"""Files that a component carries: programs and configuration for the tenants' pods.

They lie in a folder `files` beside the component, which is no Python package: nobody can import them.
"""

from __future__ import annotations

from importlib.resources import files


def data_file(package: str, name: str) -> str:
    """The text of `files/<name>` in `package`."""
    return files(package).joinpath("files", name).read_text(encoding="utf-8")
