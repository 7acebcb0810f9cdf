"""One JSON object a line on stderr, with the tenant and the component where there is one."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from vre_operator import telemetry


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, tenant, component, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if tenant := getattr(record, "tenant", "") or telemetry.tenant.get():
            line["tenant"] = tenant
        if component := telemetry.component.get():
            line["component"] = component
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(level: str) -> None:
    """For the whole process. kopf's own chatter is kept to warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
