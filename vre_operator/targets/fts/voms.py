"""A VOMS server says to which groups of its virtual organisation somebody belongs, and in which roles.

REST of vomsd 2.1 (src/server/vomsd-rest.cc), which INDIGO IAM speaks, too: GET /generate-ac with the
certificate itself; the answer is XML with an attribute certificate in base64, or with an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from vre_operator.engine.errors import Forbidden, Invalid
from vre_operator.targets.fts.http import GridHttp

# Two of its elements hold all that is wanted; a parser of XML would be a door for whoever answers.
_ATTRIBUTES = re.compile(r"<ac>([^<]+)</ac>")
_MESSAGE = re.compile(r"<message>([^<]{1,300})")


async def attributes(http: GridHttp, wanted: Sequence[str], seconds: int) -> bytes:
    """DER of the attribute certificate; its server may bound `seconds`. wanted: /GROUP/Role=ROLE, the whole
    organisation when empty. Raises Forbidden for who is no member, Unanswered."""
    query = {"lifetime": str(seconds)} | ({"fqans": ",".join(wanted)} if wanted else {})
    answer = await http.ask("GET", "/generate-ac", query=query)
    text = answer.data if isinstance(answer.data, str) else ""
    if found := _ATTRIBUTES.search(text):
        try:
            return base64.b64decode("".join(found[1].split()), validate=True)
        except binascii.Error:
            raise Invalid(f"The VOMS server {http.host} answers with broken base64") from None
    said = _MESSAGE.search(text)
    words = " ".join(said[1].split()) if said else f"status {answer.status}"
    raise Forbidden(
        f"The VOMS server {http.host} gives no attributes: {words}",
        remedy="Have the certificate's subject made a member of the organisation, with the groups and roles of"
        " spec.dataLake.transfers.x509.voms.attributes.",
    )
