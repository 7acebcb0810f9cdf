import pytest

from vre_operator.components import quantity


@pytest.mark.parametrize(
    ("given", "count", "stored"),
    [
        # each asked of a real API server
        ("1.5Gi", 1, "1536Mi"),
        ("1536Mi", 2, "3Gi"),
        ("1024Mi", 1, "1Gi"),
        ("512Mi", 57, "29184Mi"),
        ("0.1Gi", 1, "107374182400m"),
        ("1.5G", 1, "1500M"),
        ("2000000", 1, "2M"),
        ("0Gi", 1, "0"),
    ],
)
def test_a_size_is_spelled_as_the_api_server_stores_it(given: str, count: int, stored: str) -> None:
    assert quantity.size(given, count) == stored


@pytest.mark.parametrize(
    ("given", "stored"), [(0.1, "100m"), (5.7, "5700m"), (2, "2"), (1000, "1k"), (20_000, "20k"), (0, "0")]
)
def test_a_number_is_spelled_as_the_api_server_stores_it(given: float, stored: str) -> None:
    assert quantity.number(given) == stored
