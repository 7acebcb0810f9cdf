"""What a tag stands for, asked at a real registry of each kind."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dev.oidc.tls import write_certificates
from tests.registry.running import PASSWORD, USER, Registry
from vre_operator.engine.errors import Forbidden, Invalid, NotFound, TargetError, Throttled, Unavailable
from vre_operator.targets.registry.credentials import login
from vre_operator.targets.registry.http import RegistryHttp
from vre_operator.targets.registry.reference import Reference

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(300)]
LOOPBACK = ("127.0.0.0/8", "::1/128")
PRIVATE = pytest.mark.parametrize("auth", ["htpasswd", "token"])


def client(registry: Registry, **options: Any) -> RegistryHttp:
    return RegistryHttp(registry.host, registry.ca, LOOPBACK, **({"clock": time.monotonic} | options))


async def digest(registry: Registry, image: str, config: str = "", way: RegistryHttp | None = None) -> str:
    reference = Reference.parse(registry.image(image))
    return await (way or client(registry)).digest(reference, login([config], reference))


async def refused(registry: Registry, image: str, config: str = "") -> TargetError:
    with pytest.raises(TargetError) as caught:
        await digest(registry, image, config)
    assert PASSWORD not in caught.value.text
    assert "Bearer" not in caught.value.text
    return caught.value


async def test_a_tag_and_what_it_stands_for_later(registry: Registry) -> None:
    first = registry.push("lab/base", "1", "one")
    assert await digest(registry, "lab/base:1") == first
    second = registry.push("lab/base", "1", "two")
    assert second != first
    assert await digest(registry, "lab/base:1") == second
    assert await digest(registry, f"lab/base@{first}") == first
    registry.push("lab/base", "latest", "three")
    assert await digest(registry, "lab/base") == await digest(registry, "lab/base:latest")


async def test_what_is_not_there_is_named(registry: Registry) -> None:
    gone = registry.push("lab/gone", "1", "gone")
    registry.remove("lab/gone", gone)
    for image in ("lab/nothing:1", "lab/gone:1"):
        error = await refused(registry, image)
        assert isinstance(error, NotFound)
        assert (error.reason, registry.image(image) in error.text) == ("ImageNotFound", True)


@PRIVATE
async def test_a_private_image_is_told_to_who_may_read_it(registries: dict[str, Registry], auth: str) -> None:
    registry = registries[auth]
    pushed = registry.push("lab/private", "1", auth)
    assert await digest(registry, "lab/private:1", registry.config_json()) == pushed
    for config in ("", registry.config_json("wrong"), registry.config_json(host="elsewhere.example.org")):
        error = await refused(registry, "lab/private:1", config)
        assert isinstance(error, Forbidden)
        assert (error.reason, "pullSecrets" in error.text) == ("ImageForbidden", True)


async def test_a_token_is_asked_for_once_and_again_when_it_ends(registries: dict[str, Registry]) -> None:
    registry = registries["token"]
    assert registry.tokens
    pushed = registry.push("lab/often", "1", "often")
    now = 1000.0
    way = client(registry, clock=lambda: now)
    made, looks = len(registry.tokens.asked), 5
    before = registry.asked("HEAD", "/v2/lab/often/")
    for _ in range(looks):
        assert await digest(registry, "lab/often:1", registry.config_json(), way) == pushed
    assert len(registry.tokens.asked) == made + 1
    assert registry.asked("HEAD", "/v2/lab/often/") == before + looks + 1, "one of them learnt how to ask"
    assert registry.tokens.asked[-1]["scope"] == ["repository:lab/often:pull"]
    now += registry.tokens.life
    await digest(registry, "lab/often:1", registry.config_json(), way)
    assert len(registry.tokens.asked) == made + 2
    assert registry.asked("GET", "/v2/lab/often/") == 0, "a GET would count as a pull"


async def test_a_token_is_no_other_tenants(registries: dict[str, Registry]) -> None:
    """Tenants share the way to a registry, and not who they are there."""
    registry = registries["token"]
    registry.push("lab/theirs", "1", "theirs")
    way = client(registry)
    await digest(registry, "lab/theirs:1", registry.config_json(), way)
    for config in ("", registry.config_json("wrong")):
        with pytest.raises(Forbidden):
            await digest(registry, "lab/theirs:1", config, way)


async def test_a_registry_that_says_nothing_is_left_alone_for_a_while(registry: Registry) -> None:
    pushed = registry.push("lab/slow", "1", "slow")
    now = 1000.0
    way = client(registry, timeout=1.0, clock=lambda: now)
    with registry.stopped():
        for _ in range(3):
            with pytest.raises(Unavailable, match="within 1 s"):
                await digest(registry, "lab/slow:1", way=way)
    now += 30
    assert await digest(registry, "lab/slow:1", way=way) == pushed


async def test_a_registry_inside_is_not_reached_unless_the_site_allows_it(registry: Registry) -> None:
    reference = Reference.parse(registry.image("lab/base:1"))
    before = registry.asked("HEAD")
    with pytest.raises(Invalid) as caught:
        await RegistryHttp(registry.host, registry.ca, (), clock=time.monotonic).digest(reference, None)
    assert "issuerCidrs" in caught.value.text
    for host in ("10.0.0.1:5000", "[::1]:5000", "registry.example.org:22"):
        with pytest.raises(Invalid):
            RegistryHttp(host, "", (), clock=time.monotonic)
    assert registry.asked("HEAD") == before


# --- what no real registry does on demand ---------------------------------------------------------------------

Handler = Any


@asynccontextmanager
async def saying(folder: Path, handler: Handler) -> AsyncIterator[Registry]:
    """Something in a registry's place."""
    ca = write_certificates(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield Registry(folder, port=port, ca=ca)
    finally:
        await runner.cleanup()


def _challenge(realm: str) -> web.Response:
    return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda: web.Response(status=429, headers={"Retry-After": "77"}), Throttled, "patience"),
        (lambda: web.Response(status=503), Unavailable, "503"),
        (lambda: web.Response(status=302, headers={"Location": "https://10.0.0.1/"}), Unavailable, "redirect"),
        (lambda: web.Response(text="<html>Welcome</html>"), Unavailable, "something else"),
        (lambda: web.Response(headers={"Docker-Content-Digest": "sha256:1234"}), Unavailable, "no SHA-256"),
        (lambda: web.Response(headers={"Docker-Content-Digest": "md5:" + "0" * 64}), Unavailable, "no SHA-256"),
        (lambda: web.Response(status=401), Forbidden, "does not let"),
        (
            lambda: web.Response(status=401, headers={"WWW-Authenticate": "Negotiate"}),
            Forbidden,
            "does not let",
        ),
        (lambda: _challenge("http://localhost:5000/token"), Invalid, "not an https URL"),
        (lambda: _challenge("https://169.254.169.254/latest"), Invalid, "by number"),
        (lambda: _challenge(""), Invalid, "not an https URL"),
        (lambda: _challenge("https://user:secret@localhost:5000/"), Invalid, "holds a user"),
    ],
)
async def test_what_is_no_answer_is_told_as_what_it_is(
    tmp_path: Path, answer: Any, error: type[TargetError], words: str
) -> None:
    async def handler(request: web.Request) -> web.Response:
        made: web.Response = answer()
        return made

    async with saying(tmp_path, handler) as registry:
        with pytest.raises(error, match=words) as caught:
            await digest(registry, "lab/base:1", registry.config_json())
    assert "secret" not in caught.value.text
    if error is Throttled:
        assert caught.value.retry_after
        assert caught.value.retry_after >= 77


async def test_a_registry_that_tells_no_digest_is_read(tmp_path: Path) -> None:
    """The specification only says SHOULD."""
    manifest = b'{"schemaVersion": 2, "layers": []}'
    methods = []

    async def handler(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.Response(body=manifest)

    async with saying(tmp_path, handler) as registry:
        assert await digest(registry, "lab/base:1") == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert methods == ["HEAD", "GET"]


async def test_a_password_goes_only_to_whom_the_registry_names_over_tls(tmp_path: Path) -> None:
    """And a token is never taken from what is none."""
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization", "")))
        if request.path == "/token":
            return web.json_response({"token": "line\r\nbreak"})
        return _challenge(f"https://localhost:{registry.port}/token")

    async with saying(tmp_path, handler) as registry:
        error = await refused(registry, "lab/base:1", registry.config_json())
    assert isinstance(error, Unavailable)
    assert [path for path, authorization in seen if authorization] == ["/token"]
    assert USER not in error.text
