"""What a provider may do to us, and what we do not do to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from dev.ports import free_port
from tests.unit.oidc.idp import LOOPBACK, Clock, Idp
from vre_operator.engine.errors import Invalid, Throttled
from vre_operator.targets.oidc.http import IssuerHttp, Unanswered
from vre_operator.targets.web import Dropped


async def test_json_is_read(idp: Idp) -> None:
    idp.says({"a": "b"}, status=201, Location="/x")
    answer = await idp.http().request("POST", f"{idp.url}/x", body={"c": "d"})
    assert (answer.status, answer.text("a"), answer.location) == (201, "b", "/x")


async def test_credentials_go_to_the_issuers_origin_only(idp: Idp) -> None:
    http = idp.http()
    for url in ("https://elsewhere.example.org/token", idp.url.replace("localhost", "127.0.0.1")):
        with pytest.raises(Invalid, match="another host"):
            await http.request("POST", url, bearer="canary")
    assert idp.seen == []


async def test_a_redirect_is_not_followed(idp: Idp) -> None:
    idp.says({}, status=302, Location=f"{idp.url}/elsewhere")
    with pytest.raises(Unanswered, match="redirect"):
        await idp.http().request("GET", f"{idp.url}/x", bearer="canary")
    assert [path for _, path, _ in idp.seen] == ["/x"]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (lambda: web.Response(text="<html>log in</html>", content_type="text/html"), "text/html"),
        (lambda: web.Response(text="{broken", content_type="application/json"), "broken JSON"),
        (lambda: web.Response(body=b"[" + b"1," * (1 << 20), content_type="application/json"), "1 MiB"),
        (lambda: web.json_response({}, status=500), "status 500. Its own log says why"),
    ],
)
async def test_a_useless_answer_is_no_answer(idp: Idp, response: object, words: str) -> None:
    async def respond(_: web.Request) -> web.StreamResponse:
        made = response() if callable(response) else None
        assert isinstance(made, web.Response)
        return made

    idp.answer = respond
    with pytest.raises(Unanswered) as failure:
        await idp.http().request("POST", f"{idp.url}/x")
    assert failure.value.sent
    assert words in failure.value.text


async def test_a_slow_answer_may_have_had_its_effect(idp: Idp) -> None:
    async def respond(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.json_response({})

    idp.answer = respond
    with pytest.raises(Unanswered, match="did not answer within") as failure:
        await idp.http(timeout=0.3).request("POST", f"{idp.url}/x")
    assert failure.value.sent


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_nothing_is_sent_twice(idp: Idp, method: str) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.json_response({})

    idp.answer = respond
    with pytest.raises(Unanswered, match="broke off") as failure:
        await idp.http().request(method, f"{idp.url}/x")
    assert failure.value.sent
    assert len(idp.seen) == 1


@pytest.mark.parametrize("what", [{"form": {"a": "b"}}, {"body": {"a": "b"}}])
async def test_a_change_is_not_sent_when_the_lease_is_lost_while_the_connection_is_made(
    idp: Idp, what: dict[str, Any]
) -> None:
    asked = iter([True])  # when it is begun, and never again
    with pytest.raises(Unanswered, match="does not lead any more") as failure:
        await idp.http(may_write=lambda: next(asked, False)).request("POST", f"{idp.url}/x", **what)
    assert not failure.value.sent
    assert idp.seen == []


async def test_connections_are_kept_by_who_has_many_requests_and_by_nobody_else(idp: Idp) -> None:
    connections: dict[str, set[object]] = {}

    async def respond(request: web.Request) -> web.StreamResponse:
        connections.setdefault(request.path, set()).add(request.transport)
        await asyncio.sleep(0.1 if request.path == "/slow" else 0)
        return web.json_response({})

    idp.answer = respond
    http = idp.http()

    async def several(path: str) -> None:
        for _ in range(3):
            await http.request("POST", f"{idp.url}{path}", body={})

    async def many() -> None:
        async with http.many():
            await asyncio.gather(several("/many"))

    # Who was there before and stays longer has connections of its own.
    await asyncio.gather(several("/slow"), many())
    await several("/few")
    assert {path: len(found) for path, found in connections.items()} == {"/slow": 3, "/many": 1, "/few": 3}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_what_a_kept_connection_lost_is_not_sent_twice_and_holds_nothing_back(
    idp: Idp, method: str
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        if len(idp.seen) == 2:
            assert request.transport
            request.transport.abort()
        return web.json_response({})

    idp.answer = respond
    http = idp.http()
    async with http.many():
        await http.request(method, f"{idp.url}/1")
        with pytest.raises(Dropped, match="broke off") as failure:
            await http.request(method, f"{idp.url}/2")
        assert failure.value.sent
        await http.request(method, f"{idp.url}/3")
    assert [path for _, path, _ in idp.seen] == ["/1", "/2", "/3"]


async def test_on_a_kept_connection_nothing_is_sent_when_the_lease_is_lost_meanwhile(idp: Idp) -> None:
    idp.says({})
    lease = iter([True] * 3)  # for one request, and for the beginning of the next
    http = idp.http(may_write=lambda: next(lease, False))
    async with http.many():
        await http.request("PUT", f"{idp.url}/x", body={})
        with pytest.raises(Unanswered, match="does not lead any more") as failure:
            await http.request("PUT", f"{idp.url}/x", body={})
    assert not failure.value.sent
    assert len(idp.seen) == 1


async def test_a_closed_port_was_never_asked() -> None:
    url = f"https://localhost:{free_port()}"
    with pytest.raises(Unanswered, match="No connection") as failure:
        await IssuerHttp(url, "", LOOPBACK, clock=Clock()).request("POST", f"{url}/x")
    assert not failure.value.sent


async def test_an_unknown_name_is_told() -> None:
    url = "https://no-such-host.invalid"
    with pytest.raises(Unanswered, match="cannot be resolved"):
        await IssuerHttp(url, clock=Clock()).request("GET", f"{url}/x")


async def test_a_certificate_of_an_unknown_authority_is_refused(idp: Idp) -> None:
    http = IssuerHttp(idp.url, "", LOOPBACK, clock=Clock())
    with pytest.raises(Unanswered, match="certificate is not trusted"):
        await http.request("GET", f"{idp.url}/x")
    assert idp.seen == []


async def test_an_address_inside_is_refused_before_any_connection(idp: Idp) -> None:
    http = IssuerHttp(idp.url, idp.ca, clock=Clock())
    with pytest.raises(Invalid, match="not a public address") as refused:
        await http.request("GET", f"{idp.url}/x")
    assert refused.value.reason == "IssuerRefused"


def test_a_broken_ca_bundle_is_named() -> None:
    with pytest.raises(Invalid, match="CA bundle"):
        IssuerHttp("https://login.example.org", "-----BEGIN nonsense", clock=Clock())


async def test_a_proxy_of_the_environment_is_not_used(idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    idp.says({})
    assert (await idp.http().request("GET", f"{idp.url}/x")).status == 200


async def test_after_a_failure_nothing_is_sent_for_a_growing_while(idp: Idp) -> None:
    idp.says({}, status=503)
    http = idp.http()
    waits = []
    for sent in range(1, 5):
        with pytest.raises(Unanswered) as failure:
            await http.request("GET", f"{idp.url}/x")
        assert failure.value.retry_after
        waits.append(failure.value.retry_after)
        with pytest.raises(Unanswered, match="status 503"):
            await http.request("GET", f"{idp.url}/x")
        assert len(idp.seen) == sent
        idp.clock.now += failure.value.retry_after
    assert waits[3] > waits[0] * 4
    idp.says({})
    await http.request("GET", f"{idp.url}/x")
    idp.says({}, status=503)
    with pytest.raises(Unanswered) as failure:
        await http.request("GET", f"{idp.url}/x")
    assert failure.value.retry_after
    assert failure.value.retry_after < 2


@pytest.mark.parametrize("status", [429, 503])
async def test_the_providers_own_wish_to_wait_is_respected(idp: Idp, status: int) -> None:
    idp.says({}, status=status, **{"Retry-After": "120"})
    http = idp.http()
    with pytest.raises((Throttled, Unanswered)) as failure:
        await http.request("GET", f"{idp.url}/x")
    assert failure.value.retry_after == 120
    idp.clock.now += 100
    with pytest.raises((Throttled, Unanswered)):
        await http.request("GET", f"{idp.url}/x")
    assert len(idp.seen) == 1
