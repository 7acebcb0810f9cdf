"""People and their groups by SCIM 2.0 (RFC 7643, 7644), as INDIGO IAM and Keycloak speak it.

A person's `id` is the `sub` of their tokens at both. Keycloak tells a person's groups only when it is asked to
(seen with 26.7); attributes that are asked for are a part of the standard that IAM knows, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.model import ClientSpec
from vre_operator.targets.oidc.registrar import registration_refused
from vre_operator.targets.oidc.service import Api, ServiceSession

_PAGE = 100
"""More both refuse."""


class Scim(ServiceSession):
    """wanted: the body of a resource of kind People."""

    def __init__(
        self, http: IssuerHttp, spec: ClientSpec, says: Callable[[Answer], str], wanted: Mapping[str, Any]
    ) -> None:
        scope = wanted["scim"]["scope"]
        api = Api(
            wanted["scim"]["url"].rstrip("/"),
            "SCIM",
            "read users and groups",
            f"Let it have tokens with scope {scope}."
            if scope
            else "Give it the right to read users and groups.",
            "Correct spec.dataLake.people.scim.url.",
            scope,
        )
        super().__init__(http, spec, says, api)
        self._wanted = wanted

    async def people(self) -> list[Mapping[str, Any]]:
        """{sub, username, email, groups}, each person once; nobody who is not active."""
        await self._check_groups()
        counting = self._wanted["groups"]
        interesting = {*counting, *self._wanted["labels"]}
        found: list[Mapping[str, Any]] = []
        async for user in self._pages("/Users", "userName,active,emails,groups"):
            told = {str(group.get("display", "")) for group in _objects(user.get("groups"))}
            groups = [name for name in interesting if name.lstrip("/") in told]
            counts = self._wanted["everybody"] or any(name in counting for name in groups)
            if counts and user.get("active", True):
                found.append(_person(user, groups))
        return found

    async def _check_groups(self) -> None:
        """A group that is gone is no reason to suspend its members."""
        found = {str(group.get("displayName", "")) async for group in self._pages("/Groups", "displayName")}
        for name in (*self._wanted["groups"], *self._wanted["labels"]):
            if name.lstrip("/") not in found:
                raise registration_refused(
                    f"{self._spec.issuer} has no group {name}",
                    "Make the group, or correct its name in spec.identity, dataLake.people.quotas or"
                    " workflows.quotas.",
                )

    async def _pages(self, path: str, attributes: str) -> AsyncIterator[Mapping[str, Any]]:
        first = 1
        while True:
            query = {"startIndex": str(first), "count": str(_PAGE), "attributes": attributes}
            answer = await self.ask("GET", path, query=query)
            page = list(_objects(answer.fields.get("Resources")))
            for one in page:
                yield one
            first += len(page)
            total = answer.fields.get("totalResults")
            if not page or not isinstance(total, int) or first > total:
                return


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _person(user: Mapping[str, Any], groups: list[str]) -> dict[str, Any]:
    addresses = sorted(_objects(user.get("emails")), key=lambda one: not one.get("primary"))
    return {
        "sub": str(user.get("id", "")),
        "username": str(user.get("userName", "")),
        "email": str(addresses[0].get("value", "")) if addresses else "",
        "groups": groups,
    }
