"""Names of images, and whose login is for which."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from vre_operator.engine.errors import Invalid
from vre_operator.targets.registry.credentials import Login, login
from vre_operator.targets.registry.reference import Reference

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "written"),
    [
        ("python", "registry-1.docker.io", "library/python", "latest", "python"),
        ("python:3.12", "registry-1.docker.io", "library/python", "3.12", "python"),
        ("jupyter/base:1", "registry-1.docker.io", "jupyter/base", "1", "jupyter/base"),
        ("docker.io/a/b", "registry-1.docker.io", "a/b", "latest", "docker.io/a/b"),
        ("docker.io/b:2", "registry-1.docker.io", "library/b", "2", "docker.io/b"),
        ("quay.io/a/b/c:v1", "quay.io", "a/b/c", "v1", "quay.io/a/b/c"),
        ("localhost/a", "localhost", "a", "latest", "localhost/a"),
        ("host:5000/a", "host:5000", "a", "latest", "host:5000/a"),
        ("host:5000/a:b", "host:5000", "a", "b", "host:5000/a"),
        (f"quay.io/a/b@{DIGEST}", "quay.io", "a/b", "", "quay.io/a/b"),
        (f"quay.io/a/b:1@{DIGEST}", "quay.io", "a/b", "1", "quay.io/a/b"),
    ],
)
def test_a_name_is_read_as_nodes_read_it(text: str, host: str, repository: str, tag: str, written: str) -> None:
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)
    assert found.pinned(DIGEST) == f"{written}@{DIGEST}"
    assert Reference.parse(found.pinned(DIGEST)).digest == DIGEST


def _auth(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:p:w".encode()).decode()}


@pytest.mark.parametrize(
    ("image", "auths", "user"),
    [
        ("quay.io/a/b", {"quay.io": _auth("one")}, "one"),
        (
            "quay.io/a/b",
            {"quay.io": _auth("one"), "quay.io/a": _auth("two"), "quay.io/a/b": _auth("three")},
            "three",
        ),
        ("quay.io/ab/c", {"quay.io": _auth("one"), "quay.io/a": _auth("two")}, "one"),
        ("quay.io.example.org/a", {"quay.io": _auth("one")}, None),
        ("host:5000/a", {"host": _auth("one")}, None),
        ("host:5000/a", {"https://host:5000/v2/": _auth("one")}, "one"),
        ("python", {"https://index.docker.io/v1/": _auth("one")}, "one"),
        ("a/b", {"docker.io": _auth("one")}, "one"),
        ("quay.io/a", {"quay.io": {"username": "one", "password": "p:w"}}, "one"),
        ("quay.io/a", {"quay.io": {}}, None),
    ],
)
def test_the_most_exact_login_is_taken(image: str, auths: dict[str, Any], user: str | None) -> None:
    found = login([json.dumps({"auths": auths})], Reference.parse(image))
    assert found == (Login(user, "p:w") if user else None)
    assert "p:w" not in repr(found)


def test_of_several_secrets_the_first_that_fits() -> None:
    first, second = ({"auths": {"quay.io": _auth(user)}} for user in ("one", "two"))
    other = {"auths": {"elsewhere.org": _auth("three")}}
    found = login(["", *map(json.dumps, (other, first, second))], Reference.parse("quay.io/a"))
    assert found == Login("one", "p:w")


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        "[]",
        '{"auths": "s3cret"}',
        '{"auths": {"quay.io": "s3cret"}}',
        '{"auths": {"quay.io": {"auth": "s3cret!"}}}',
        '{"auths": {"quay.io": {"username": "a", "password": ["s3cret"]}}}',
        '{"auths": {"quay.io": {"username": "a\\nb", "password": "s3cret"}}}',
        '{"auths": {"quay.io": {"identitytoken": "s3cret"}}}',
    ],
)
def test_what_is_no_pull_secret_is_told_without_its_content(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        login([text], Reference.parse("quay.io/a"))
    assert "pull Secret" in caught.value.text
    assert "s3cret" not in caught.value.text
