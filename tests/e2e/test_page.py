"""The landing page in a real browser: by mouse, by keyboard, on a phone, with words that would be markup."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.demo import tenant
from dev.demo.browser import person, quiet
from dev.demo.installation import ALICE, Installation
from dev.demo.journey import Album
from dev.demo.kubectl import Kubectl
from dev.progress import note
from tests.e2e import outside
from tests.e2e.conftest import WORKING

NAMESPACE = WORKING
URL = f"https://{NAMESPACE}.vre.localhost"
PHONE = {"width": 360, "height": 740}
HOSTILE = '<img src=x onerror=window.hacked=1> {{ 7 * 7 }} & "more"'
# The kubelet brings a changed ConfigMap to the pods within a minute or so.
_KUBELET_SECONDS = 150


@pytest.fixture
def visitor(started: Browser, working: Installation) -> Iterator[Page]:
    with person(started) as page:
        yield page


def test_a_visitor_sees_what_there_is_and_that_it_works(visitor: Page, album: Album) -> None:
    with quiet(visitor):
        visitor.goto(URL)
        expect(visitor.get_by_role("heading", level=1)).to_have_text(NAMESPACE)
        services = visitor.get_by_role("region", name="Services").get_by_role("listitem")
        expect(services).to_have_count(1)
        expect(services).to_contain_text("Notebooks")
        expect(services).to_contain_text("works")
        expect(visitor.get_by_role("link", name="Log in")).to_be_visible()
        album.take(visitor, "landing-page")


def test_a_keyboard_is_enough(visitor: Page) -> None:
    visitor.goto(URL)
    expect(visitor.get_by_role("link", name="Log in")).to_be_visible()
    focused = visitor.locator(":focus")
    visitor.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    visitor.keyboard.press("Enter")
    visitor.keyboard.press("Tab")
    expect(focused).to_have_text("Log in")
    outline = focused.evaluate("it => getComputedStyle(it).outlineStyle")
    assert outline == "solid", "what has the focus is seen"
    visitor.keyboard.press("Enter")
    expect(visitor.locator("#username")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_is_enough(visitor: Page, album: Album, scheme: Any) -> None:
    visitor.set_viewport_size(PHONE)  # type: ignore[arg-type]
    visitor.emulate_media(color_scheme=scheme)
    visitor.goto(URL)
    expect(visitor.get_by_role("link", name="Log in")).to_be_visible()
    assert visitor.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "no scrolling sideways"
    box = visitor.get_by_role("link", name="Log in").bounding_box()
    assert box is not None
    assert box["height"] >= 40, "a thumb hits it"
    album.take(visitor, f"landing-page-phone-{scheme}")


def test_words_are_words_and_restart_nothing(visitor: Page, working: Installation, album: Album) -> None:
    kubectl = working.kubectl

    def pods() -> dict[str, str]:
        found = kubectl.list("pods", NAMESPACE)
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found}

    before = pods()
    words = {
        "title": HOSTILE[:60],
        "message": HOSTILE,
        "description": HOSTILE,
        "logo": "https://nowhere.invalid/logo.svg",
        "links": [{"title": HOSTILE[:60], "url": "https://docs.example.org/?a=1&b=2"}],
    }
    kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"page": words}}, NAMESPACE)
    try:
        tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
        hasten(kubectl)
        visitor.goto(URL)
        expect(visitor.locator("#message")).to_have_text(HOSTILE, timeout=_KUBELET_SECONDS * 1000)
        expect(visitor.get_by_role("heading", level=1)).to_have_text(HOSTILE[:60])
        expect(visitor.get_by_role("link", name=HOSTILE[:60])).to_have_attribute(
            "href", "https://docs.example.org/?a=1&b=2"
        )
        assert visitor.locator("img").count() == 1, "the logo and no other"
        expect(visitor.locator("#logo")).to_have_attribute("src", "/page/logo.svg")
        album.take(visitor, "landing-page-hostile")
        visitor.goto(f"{URL}/hub/login")
        expect(visitor.locator("#username")).to_be_visible()
        visitor.locator("#username").fill(ALICE.user)
        visitor.locator("#password").fill(ALICE.password)
        visitor.locator("#kc-login").click()
        expect(visitor).to_have_url(re.compile("/(hub|user)/"))

        def announced() -> bool:
            visitor.goto(f"{URL}/hub/home")
            return visitor.locator(".announcement").count() == 1

        outside.until(announced, _KUBELET_SECONDS, "the message above the hub's pages")
        expect(visitor.locator(".announcement")).to_have_text(HOSTILE)
        assert visitor.evaluate("window.hacked") is None
        assert pods() == before
    finally:
        kubectl.patch(tenant.KIND, NAMESPACE, {"spec": {"page": dict.fromkeys(words)}}, NAMESPACE)
        tenant.wait_ready(kubectl, NAMESPACE, NAMESPACE, say=note)
        hasten(kubectl)


def hasten(kubectl: Kubectl) -> None:
    """A change of the pods has the kubelet bring their files at once."""
    kubectl(
        "annotate", "pods", "--all", "--overwrite", f"example.org/now={time.time_ns()}", namespace=NAMESPACE
    )
