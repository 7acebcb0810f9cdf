"""One client's memory during work: read once, then written through, compare-and-set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vre_operator.engine.errors import TargetError
from vre_operator.targets.oidc.model import ClientState
from vre_operator.targets.store import StateKey, StateStore


class Record:
    """The state of one client and its version in the store.

    Nothing counts as remembered before the store has it: a failed write drops the cached state, and the next
    use reads again.
    """

    def __init__(self, store: StateStore, key: StateKey) -> None:
        self.key = key
        self._store = store
        self._state: ClientState | None = None
        self._version: str | None = None
        self._read = False

    async def load(self) -> ClientState | None:
        """The state; a request only the first time."""
        if not self._read:
            held = await self._store.load(self.key)
            self._state, self._version = (ClientState.load(held[0]), held[1]) if held else (None, None)
            self._read = True
        return self._state

    @property
    def state(self) -> ClientState:
        """The state, known to exist."""
        if self._state is None:
            raise RuntimeError("no state was loaded")
        return self._state

    async def write(self, state: ClientState) -> ClientState:
        """Remember `state`."""
        await self.load()
        try:
            self._version = await self._store.save(self.key, state.dump(), self._version)
        except TargetError:
            self.drop()
            raise
        self._state = state
        return state

    async def update(self, **changes: Any) -> ClientState:
        """Remember the state with `changes`; no write when nothing changes."""
        changed = replace(self.state, **changes)
        return self.state if changed == self.state else await self.write(changed)

    def drop(self) -> None:
        """Read again at the next use: a person may have removed the state to resolve a failure."""
        self._read, self._state = False, None

    async def forget(self) -> None:
        """Delete the state."""
        await self._store.delete(self.key)
        self._state, self._version, self._read = None, None, True
