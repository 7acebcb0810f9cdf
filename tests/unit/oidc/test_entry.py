"""What a person entered, tried at a provider that answers in every way."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from aiohttp import web

from tests.unit.oidc.idp import Idp
from vre_operator.targets.oidc.entry import check
from vre_operator.targets.oidc.model import NO_PROBLEM, ClientSpec, Provider

_URI = "https://ocean.example.org/hub/oauth_callback"


def spec(idp: Idp, **changes: object) -> ClientSpec:
    settings: dict[str, object] = {
        "authorization_endpoint": f"{idp.url}/authorize",
        "redirect_uris": (_URI,),
        "credential": {"client_id": "entered", "client_secret": "canary-secret"},
    }
    return ClientSpec(Provider.MANUAL, idp.url, **{**settings, **changes})  # type: ignore[arg-type]


def sends_back(idp: Idp, to: str = _URI, **fields: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{to}?{urlencode(fields)}")

    idp.answer = answer


def shows(idp: Idp, status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html>", content_type="text/html")

    idp.answer = answer


async def test_one_who_must_log_in_was_entered_right(idp: Idp) -> None:
    for error in ("login_required", "interaction_required", "consent_required"):
        sends_back(idp, error=error)
        assert await check(idp.http(), spec(idp), "entered") == NO_PROBLEM


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_scope", "the scopes openid profile email of client entered"),
        ("unauthorized_client", "Enter there authorization_code"),
        ("unsupported_response_type", "the response type code"),
    ],
)
async def test_the_provider_s_own_word_is_told(idp: Idp, error: str, words: str) -> None:
    sends_back(idp, error=error)
    reason, message = await check(idp.http(), spec(idp), "entered")
    assert reason == "ProbeFailed"
    assert words in message
    assert "canary" not in message


async def test_a_refused_redirect_uri_is_named(idp: Idp) -> None:
    shows(idp, 400)
    reason, message = await check(idp.http(), spec(idp), "entered")
    assert reason == "ProbeFailed"
    assert f"the redirect URI {_URI} of client entered" in message


async def test_what_tells_nothing_is_no_problem(idp: Idp) -> None:
    for status in (200, 401, 403, 404):
        shows(idp, status)
        assert await check(idp.http(), spec(idp), "entered") == NO_PROBLEM
    for to in ("https://login.example.org/", f"{_URI}/other", f"https://evil.example.org/{_URI}"):
        sends_back(idp, to, error="invalid_scope")
        assert await check(idp.http(), spec(idp), "entered") == NO_PROBLEM


async def test_each_redirect_uri_is_asked_for_with_a_challenge(idp: Idp) -> None:
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        raise web.HTTPFound(f"{request.query['redirect_uri']}?error=login_required")

    idp.answer = answer
    two = spec(idp, redirect_uris=(_URI, "https://b.example.org/cb"))
    assert await check(idp.http(), two, "entered") == NO_PROBLEM
    assert [one["redirect_uri"] for one in asked] == [_URI, "https://b.example.org/cb"]
    assert all(one["prompt"] == "none" and one["code_challenge_method"] == "S256" for one in asked)
    assert "canary-secret" not in str(asked)


async def test_nobody_is_asked_without_need(idp: Idp) -> None:
    for changes in (
        {"grant_types": ("client_credentials",)},
        {"redirect_uris": ()},
        {"authorization_endpoint": "https://login.example.org/authorize"},
        {"authorization_endpoint": ""},
    ):
        assert await check(idp.http(), spec(idp, **changes), "entered") == NO_PROBLEM
    assert idp.seen == []
