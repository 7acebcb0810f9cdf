"""What an API server has, in kubectl's words for kinds, read by one client that lives on.

Who waits looks often, and each `kubectl get` is a process of a sixth of a CPU-second: a third of a core in
`make test`, measured.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError
from kubernetes.dynamic.resource import Resource, ResourceList
from urllib3.exceptions import HTTPError

Body = dict[str, Any]
FAILURES = (ApiException, HTTPError, LookupError)
"""What may be raised: an answer, none, or an unknown kind."""


def reader(kubeconfig: Path) -> Reader:
    """One for each content of the file: a cluster that is made anew has another."""
    return _reader(kubeconfig, kubeconfig.read_text())


class Reader:
    """Objects as `kubectl get --output json` shows them: without managedFields, with kind and apiVersion."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = new_client_from_config(str(kubeconfig), persist_config=False)  # type: ignore[no-untyped-call]
        self._kinds: dict[str, Resource] = {}

    def get(self, kind: str, name: str, namespace: str = "") -> Body | None:
        """One object, None when there is none. Raises FAILURES."""
        try:
            return _shown(self._ask(kind, name=name, namespace=namespace))
        except NotFoundError:
            return None

    def list(self, kinds: str, namespace: str = "", selector: str = "") -> list[Body]:
        """Of several kinds ("pods,services"), in one namespace or in all. Raises FAILURES."""
        found = []
        for kind in kinds.split(","):
            listed = self._ask(kind, namespace=namespace, label_selector=selector)
            of = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
            found += [_shown(of | item) for item in listed["items"]]
        return found

    def _ask(self, kind: str, **query: str) -> Body:
        given = {name: value for name, value in query.items() if value}
        answer = self._kind(kind).get(**given, serialize=False, _request_timeout=60)
        body: Body = json.loads(answer.data)
        return body

    def _kind(self, word: str) -> Resource:
        if word not in self._kinds:
            self._kinds = self._discovered()
        if word not in self._kinds:
            raise LookupError(f"the API server has no kind {word}")
        return self._kinds[word]

    def _discovered(self) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        # Its own file is named after the address alone, which clusters of tests have one after the other.
        with tempfile.TemporaryDirectory() as folder:
            dynamic = DynamicClient(self._client, cache_file=f"{folder}/found")  # type: ignore[no-untyped-call]
            for resources in dynamic.resources:
                for one in resources:
                    if not isinstance(one, Resource) or isinstance(one, ResourceList) or not one.preferred:
                        continue
                    words = [one.name, one.kind.lower(), one.singular_name, *(one.short_names or ())]
                    for word in filter(None, words):
                        found.setdefault(word, one)
                        found.setdefault(f"{word}.{one.group}", one)
        return found


@functools.lru_cache(maxsize=8)
def _reader(kubeconfig: Path, _content: str) -> Reader:
    return Reader(kubeconfig)


def _shown(obj: Body) -> Body:
    obj["metadata"].pop("managedFields", None)
    return obj
