"""Talking to the cluster as a person would: with kubectl. Reading alone goes by a client that lives on."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import reading

Body = dict[str, Any]


class KubectlError(Exception):
    """kubectl's own words."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl for one cluster. `timeout` bounds every call that has none of its own."""

    program: Path
    kubeconfig: Path
    timeout: float = 120

    def __call__(
        self, *arguments: str, stdin: str | None = None, timeout: float | None = None, namespace: str = ""
    ) -> str:
        """Give what kubectl prints; raise KubectlError with what it complains about."""
        try:
            done = subprocess.run(
                self._command(*arguments, namespace=namespace),
                input=stdin,
                text=True,
                capture_output=True,
                timeout=timeout or self.timeout,
                check=False,
                stdin=subprocess.DEVNULL if stdin is None else None,
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {' '.join(arguments)}: no answer in {error.timeout:.0f} s") from None
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _command(self, *arguments: str, namespace: str = "") -> list[str]:
        where = ["--namespace", namespace] if namespace else []
        return [str(self.program), "--kubeconfig", str(self.kubeconfig), *where, *arguments]

    def get(self, kind: str, name: str, namespace: str = "") -> Body | None:
        """Give one object, or None when there is none."""
        with _words(f"get {kind} {name}"):
            return reading.reader(self.kubeconfig).get(kind, name, namespace)

    def list(self, kinds: str, namespace: str = "", selector: str = "") -> list[Body]:
        """Give the objects of some kinds ("pods,services") in a namespace, or in all when it is empty."""
        with _words(f"get {kinds}"):
            return reading.reader(self.kubeconfig).list(kinds, namespace, selector)

    def apply(self, *objects: Mapping[str, Any], namespace: str = "") -> None:
        """Apply objects, server-side."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self("apply", "--server-side", "--force-conflicts", "--filename", "-", stdin=text, namespace=namespace)

    def patch(self, kind: str, name: str, body: Mapping[str, Any], namespace: str = "") -> None:
        """Apply a merge patch."""
        self("patch", kind, name, "--type", "merge", "--patch", json.dumps(body), namespace=namespace)

    def delete(
        self, kind: str, name: str, namespace: str = "", *, timeout: float = 300, wait: bool = True
    ) -> None:
        """Delete an object, if it exists, and wait until it is gone."""
        options = ["--ignore-not-found", f"--wait={str(wait).lower()}", f"--timeout={timeout:.0f}s"]
        self("delete", kind, name, *options, namespace=namespace, timeout=timeout + 10)

    def rollout(self, workload: str, namespace: str, timeout: float) -> None:
        """Wait until a Deployment or StatefulSet runs as it should."""
        limit = f"--timeout={timeout:.0f}s"
        self("rollout", "status", workload, limit, namespace=namespace, timeout=timeout + 10)

    def run(
        self, pod: str, namespace: str, command: Sequence[str], stdin: str = "", timeout: float = 120
    ) -> str:
        """Run a command in a pod. What is secret goes through `stdin`, never into `command`."""
        return self("exec", "--stdin", pod, "--", *command, stdin=stdin, namespace=namespace, timeout=timeout)

    @contextmanager
    def forwarded(self, target: str, port: int, namespace: str) -> Iterator[int]:
        """Forward a free port of 127.0.0.1 to a port of a Service or pod."""
        command = self._command("port-forward", target, f":{port}", namespace=namespace)
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout  # noqa: S101 - for the type checker: it is a pipe
                # "Forwarding from 127.0.0.1:40001 -> 80"
                line = process.stdout.readline()
                if not line:
                    raise KubectlError(f"kubectl port-forward {target} ended at once")
                yield int(line.split(" -> ")[0].rpartition(":")[2])
            finally:
                process.terminate()


@contextmanager
def _words(what: str) -> Iterator[None]:
    try:
        yield
    except reading.FAILURES as error:
        raise KubectlError(f"{what}: {error}") from None
