"""An end state that is the same in every run: names, uids and secrets replaced by where they come from.

What can't be replaced is masked, by name, in masked.yaml.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.faults.rig.api import Json
from tests.faults.rig.recorders import Name
from vre_operator.api.conditions import Reason

State = dict[str, dict[str, Any]]
"""Object -> field -> value."""

_FILE = Path(__file__).with_name("masked.yaml")
# Random, whoever made it: no word, no address, no number.
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{20,}|eyJ[A-Za-z0-9_.-]{20,}")
# The operator keeps beside a client why it is in trouble: a word for everybody.
_REASONS = frozenset(map(str, Reason))
_NOT_SECRET = ("client_id", "nonce", "uid", "cluster_id", "registration_uri")


@dataclass(frozen=True, slots=True)
class Mask:
    field: str
    reason: str
    kind: str = ""

    # The same some hundred paths come with every plan.
    @cache  # noqa: B019 they live as long as the tests
    def covers(self, kind: str, path: str) -> bool:
        return self.kind in ("", kind) and fnmatchcase(path, self.field)


def masks() -> list[Mask]:
    """Those of masked.yaml. Raises when there are more than the file itself allows."""
    told = yaml.safe_load(_FILE.read_text())
    found = [Mask(**entry) for entry in told["fields"]]
    if len(found) > told["at_most"]:
        raise ValueError(f"{len(found)} masked fields, and {told['at_most']} are allowed")
    return found


def normalised(objects: Mapping[Name, Json], words: Mapping[str, str], masked: Iterable[Mask]) -> State:
    """`words`: text that is different in every run, and what to read instead."""
    words = {obj["metadata"]["uid"]: f"$uid:{name}" for name, obj in objects.items()} | dict(words)
    words = {word: _plain(meaning, words, list(words)) for word, meaning in words.items()}
    ordered = sorted(words, key=len, reverse=True)
    opened = {name: _opened(name.kind, obj) for name, obj in objects.items()}
    labels = {name: _plain(str(name), words, ordered) for name in opened}
    names = sorted(opened, key=lambda name: labels[name])
    tokens = [
        (f"${labels[name]}.{path}", value)
        for name in names
        if name.kind == "Secret"
        for path, value in _tokens(opened[name])
    ]
    # The first place that holds a value gives it its name.
    everything = {value: place for place, value in reversed(tokens)} | dict(words)
    ordered = sorted(everything, key=len, reverse=True)
    state: State = {}
    for name in names:
        fields = _leaves(_renamed(opened[name], everything, ordered))
        state[labels[name]] = {
            path: _plain(value, everything, ordered) if isinstance(value, str) else value
            for path, value in fields
            if not any(mask.covers(name.kind, path) for mask in masked)
        }
    return state


def secrets_of(secrets: Iterable[Json]) -> set[str]:
    """Every value in these Secrets that must be nowhere else."""
    return {
        value
        for secret in secrets
        for path, value in _tokens(_opened("Secret", secret))
        if path.rpartition(".")[2] not in _NOT_SECRET and value not in _REASONS
    }


def _tokens(secret: Json) -> Iterator[tuple[str, str]]:
    for path, value in _leaves(secret.get("data") or {}):
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            yield path, value


def _opened(kind: str, obj: Json) -> Json:
    opened = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
    if kind == "Secret":
        opened["data"] = {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    return opened


def _decoded(value: str) -> Any:
    try:
        text = base64.b64decode(value).decode()
    except ValueError:
        return value
    try:
        told = json.loads(text)
    except ValueError:
        return text
    return told if isinstance(told, dict) else text


def _renamed(value: Any, words: Mapping[str, str], ordered: list[str]) -> Any:
    """With the keys replaced as well."""
    if isinstance(value, dict):
        return {_plain(key, words, ordered): _renamed(item, words, ordered) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, words, ordered) for item in value]
    return value


def _plain(text: str, words: Mapping[str, str], ordered: list[str]) -> str:
    for word in ordered:
        if word in text:
            text = text.replace(word, words[word])
    return text


def _label(item: Any) -> str:
    """What tells an item of a list from the others, whatever their order."""
    if not isinstance(item, dict):
        return ""
    if "manager" in item:
        return f"{item['manager']}/{item.get('subresource', '')}"
    return str(item.get("name") or item.get("type") or "")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}.{_label(item) or number}")
    else:
        yield path, value
