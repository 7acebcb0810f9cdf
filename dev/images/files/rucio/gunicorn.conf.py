# mypy: ignore-errors
"""Loaded before the fork, the application may have a connection to the database.

Two workers that share it read each other's answers.
"""

from rucio.db.sqla import session


def post_fork(server, worker):
    """The parent keeps its own open."""
    if session._ENGINE is not None:
        session._ENGINE.dispose(close=False)
