"""When something comes again and again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.rules import matches

_FIELD = r"(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[0-9]{1,2})?"
_LIST = rf"{_FIELD}(,{_FIELD}){{0,9}}"
SCHEDULE = rf"^{_LIST}( {_LIST}){{4}}$"

Schedule = Annotated[
    str,
    Field(max_length=100),
    matches(
        SCHEDULE,
        "is no schedule",
        "give minute, hour, day, month and weekday as cron has them, in numbers, as in 30 */6 * * *",
    ),
]
