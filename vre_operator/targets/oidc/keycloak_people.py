"""People and their groups by Keycloak's admin API, measured with 26.7."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.keycloak_api import admin_api
from vre_operator.targets.oidc.model import ClientSpec
from vre_operator.targets.oidc.registrar import registration_refused
from vre_operator.targets.oidc.service import ServiceSession

_PAGE = 500


class KeycloakPeople(ServiceSession):
    """wanted: the body of a resource of kind People."""

    def __init__(
        self, http: IssuerHttp, spec: ClientSpec, says: Callable[[Answer], str], wanted: Mapping[str, Any]
    ) -> None:
        api = admin_api(spec.issuer, "read users and groups", "roles view-users and query-groups")
        super().__init__(http, spec, says, api)
        self._wanted = wanted

    async def people(self) -> list[Mapping[str, Any]]:
        """{sub, username, email, groups}, each person once; nobody who is disabled."""
        wanted = self._wanted
        found: dict[str, dict[str, Any]] = {}
        if wanted["everybody"]:
            async for user in self._pages("/users", {"enabled": "true"}):
                found[user["id"]] = _person(user)
        for group in (*wanted["groups"], *wanted["labels"]):
            async for user in self._pages(f"/groups/{await self._group(group)}/members", {}):
                if user.get("enabled") and group in wanted["groups"]:
                    found.setdefault(user["id"], _person(user))
                if user["id"] in found:
                    found[user["id"]]["groups"].append(group)
        return list(found.values())

    async def _group(self, wanted: str) -> str:
        """Its id. wanted: a name, or a path with slashes."""
        name = wanted.rstrip("/").rpartition("/")[2]
        answer = await self.ask("GET", "/groups", query={"search": name, "exact": "true"})
        left = list(answer.data if isinstance(answer.data, list) else ())
        while left:
            group = left.pop()
            if group.get("path") == wanted or group.get("name") == wanted:
                return str(group["id"])
            left += group.get("subGroups") or ()
        raise registration_refused(
            f"{self._spec.issuer} has no group {wanted}",
            "Make the group, or correct its name in spec.identity, dataLake.people.quotas or workflows.quotas.",
        )

    async def _pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        first = 0
        while True:
            bounds = {"first": str(first), "max": str(_PAGE), "briefRepresentation": "true"}
            answer = await self.ask("GET", path, query={**query, **bounds})
            page = answer.data if isinstance(answer.data, list) else []
            for one in page:
                yield one
            if len(page) < _PAGE:
                return
            first += _PAGE


def _person(user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sub": user["id"],
        "username": str(user.get("username", "")),
        "email": str(user.get("email") or ""),
        "groups": [],
    }
