import json

import pytest

from tests.unit.engine.world import rid
from vre_operator.engine.refs import ContentDigest, Encode, Ref, Text, digest, encode, printable, resolve

AWKWARD = "p%@:/'\"ü"


def fill(body: object) -> object:
    return resolve(body, lambda ref: encode(AWKWARD, ref.encode), lambda of: "d1g3st")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Encode.PLAIN, AWKWARD),
        (Encode.URL, "p%25%40%3A%2F%27%22%C3%BC"),
        (Encode.INI, "p%%@:/'\"ü"),
        (Encode.URL_INI, "p%%25%%40%%3A%%2F%%27%%22%%C3%%BC"),
        (Encode.JSON, json.dumps(AWKWARD)),
    ],
)
def test_each_surrounding_has_its_encoding(how: Encode, expected: str) -> None:
    assert fill({"a": [Text("<", Ref(rid("s"), "k", how), ">")]}) == {"a": [f"<{expected}>"]}


def test_a_digest_ref_becomes_the_digest_and_plain_values_stay() -> None:
    body = {"annotations": {"c": ContentDigest(rid("s"))}, "n": 3, "none": None, "t": (1, 2)}
    assert fill(body) == {"annotations": {"c": "d1g3st"}, "n": 3, "none": None, "t": [1, 2]}


def test_texts_nest_and_print_as_placeholders() -> None:
    inner = Text("u:", Ref(rid("s"), "password", Encode.URL))
    assert printable({"url": Text("db://", inner, "@h")}) == {"url": "db://u:<ConfigMap s password>@h"}


def test_digest_knows_content_not_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
