"""Where the API server is and how to prove who we are: from the pod's service account or from a kubeconfig."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_AGE = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """`token` is asked before each request, since tokens rotate; "" means the client certificate speaks."""

    server: str
    tls: ssl.SSLContext | None = None
    token: Callable[[], str] = lambda: ""


def from_environment() -> Access:
    """In a pod its service account, elsewhere KUBECONFIG or ~/.kube/config."""
    if "KUBERNETES_SERVICE_HOST" in os.environ and (_SERVICE_ACCOUNT / "token").exists():
        return in_cluster()
    return from_kubeconfig()


def in_cluster(directory: Path = _SERVICE_ACCOUNT) -> Access:
    """The pod's service account."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    return Access(f"https://{host}:{port}", tls, Token((directory / "token").read_text))


class Token:
    """A token that is read again once a minute, long before the one that it replaces expires."""

    def __init__(self, read: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    def __call__(self) -> str:
        if self._clock() - self._read_at > _TOKEN_AGE:
            self._token = self._read().strip()
            self._read_at = self._clock()
        return self._token


def from_kubeconfig(path: str | None = None, context: str | None = None) -> Access:
    """A person's kubeconfig, credential plug-ins included."""
    # Imported here: it costs 27 MB, and a pod needs none of it.
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    loaded = Configuration()
    load_kube_config(config_file=path, context=context, client_configuration=loaded, persist_config=False)  # type: ignore[no-untyped-call]
    tls = None
    if loaded.host.startswith("https:"):
        tls = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
        if not loaded.verify_ssl:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if loaded.cert_file:
            tls.load_cert_chain(loaded.cert_file, loaded.key_file)

    def token() -> str:
        header = loaded.get_api_key_with_prefix("BearerToken") or loaded.get_api_key_with_prefix(
            "authorization"
        )
        return (header or "").removeprefix("Bearer ")

    return Access(loaded.host.rstrip("/"), tls, Token(token))
