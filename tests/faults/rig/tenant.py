"""One tenant in a namespace of its own, and what a person does with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.rig.api import Json
from tests.faults.rig.calls import Call
from tests.faults.rig.identity import CREDENTIAL, Provider
from tests.faults.rig.normalise import State, masks, normalised
from tests.faults.rig.recorders import Name
from tests.faults.rig.stage import Stage
from tests.site import SYSTEM
from vre_operator.engine.refs import digest
from vre_operator.targets.store import ROLE_LABEL, StateKey

NAME = "vre"
_MASKS = masks()


@dataclass
class Tenant:
    """`uids`: of all its lives. credentials: what its Secrets hold, by name."""

    stage: Stage
    provider: Provider
    namespace: str
    uids: list[str] = field(default_factory=list)
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def new(cls, stage: Stage, provider: Provider) -> Tenant:
        """With its namespace and the credential."""
        stage.tenants += 1
        # No name is the beginning of another one.
        tenant = cls(stage, provider, f"t{stage.run}-{stage.tenants:04d}")
        tenant.prepare()
        return tenant

    def prepare(self) -> None:
        self.stage.api.create("Namespace", "", self.namespace)
        self.write_credential()

    @property
    def namespaces(self) -> tuple[str, str, str]:
        return (self.namespace, f"{self.namespace}-notebooks", f"{self.namespace}-workflows")

    @property
    def host(self) -> str:
        return f"{self.namespace}.example.org"

    @property
    def hosts(self) -> tuple[str, str]:
        """Those that it ever has."""
        return (self.host, f"new.{self.host}")

    @property
    def key(self) -> Name:
        return Name("VREEnvironment", self.namespace, NAME)

    @property
    def vre(self) -> Json | None:
        return self.stage.recorder.objects.get(self.key)

    def write_credential(self, name: str = CREDENTIAL) -> None:
        """The same again when the Secret was lost."""
        if name not in self.credentials:
            self.credentials[name] = self.provider.credential()
        data = {key: base64.b64encode(value.encode()).decode() for key, value in self.credentials[name].items()}
        api = self.stage.api
        if api.get("Secret", self.namespace, name) is None:
            api.create("Secret", self.namespace, name, data=data)
        else:
            api.patch("Secret", self.namespace, name, {"data": data})

    def make(self, **spec: Any) -> None:
        identity = {"issuer": self.provider.issuer, "provider": self.provider.kind, "allowAll": True}
        base = {
            "hostname": self.host,
            "identity": {**identity, "credentialsSecret": {"name": CREDENTIAL}},
            "dataLake": {"enabled": True},
        }
        made = self.stage.api.create("VREEnvironment", self.namespace, NAME, spec=base | spec)
        self.uids.append(made["metadata"]["uid"])
        self.stage.until(lambda: self.vre is not None, "the recorder does not see the VREEnvironment")

    def patch(self, **spec: Any) -> None:
        """Returns when the recorder has heard of it: the state before would pass for the one after."""
        changed = self.stage.api.patch("VREEnvironment", self.namespace, NAME, {"spec": spec})
        version = int(changed["metadata"]["resourceVersion"])

        def heard() -> bool:
            return (vre := self.vre) is None or int(vre["metadata"]["resourceVersion"]) >= version

        self.stage.until(heard, "the recorder does not see the change")

    def delete(self) -> None:
        self.stage.api.delete("VREEnvironment", self.namespace, NAME)

    def remove(self) -> None:
        """What a deletion leaves to people, once there is no VREEnvironment any more."""
        if self.vre is None:
            for namespace in self.namespaces:
                if Name("Namespace", "", namespace) in self.stage.recorder.objects:
                    self.stage.api.delete("Namespace", "", namespace)

    def owns(self, call: Call) -> bool:
        """Whether a request to the API server is about this tenant."""
        return self.namespace in call.path or self.state_secret in call.name

    def condition(self, which: str = "Ready") -> tuple[str, str]:
        """(status, reason), as long as the operator has seen the newest wish."""
        vre = self.vre
        if vre is None:
            return ("Unknown", "Gone")
        status = vre.get("status") or {}
        if status.get("observedGeneration") != vre["metadata"]["generation"]:
            return ("Unknown", "NotSeen")
        found = {item["type"]: item for item in status.get("conditions") or ()}.get(which)
        return (found["status"], found["reason"]) if found else ("Unknown", "Absent")

    def reasons(self) -> dict[str, str]:
        """Every condition's reason."""
        status = (self.vre or {}).get("status") or {}
        return {item["type"]: item["reason"] for item in status.get("conditions") or ()}

    @property
    def state_secret(self) -> str:
        """Where the operator remembers the hub's client."""
        return StateKey(self.namespace, NAME, "hub").object_name

    def memory(self) -> dict[Name, Json]:
        """The operator's own Secrets about this tenant."""
        return {
            name: obj
            for name, obj in list(self.stage.recorder.objects.items())
            if name.kind == "Secret"
            and name.namespace == SYSTEM
            and ROLE_LABEL in (labels := obj["metadata"].get("labels") or {})
            and self.namespace in labels.values()
        }

    def clients(self) -> list[str]:
        """Its clients at the provider."""
        return [one for host in self.hosts for one in self.provider.clients(host)]

    def kept(self, since: int) -> set[Name]:
        """What must stay as long as nobody has agreed to lose it."""
        found = set()
        for change in self.stage.recorder.since(since, self.namespaces, {self.key.kind}):
            if change.name == self.key:
                for entry in (change.object.get("status") or {}).get("inventory") or ():
                    _, policy, identity = entry.split(" ", 2)
                    if policy == "Retain":
                        _, kind, namespace, name = identity.split(":", 3)
                        found.add(Name(kind.rsplit("/", 1)[-1], namespace, name))
        return found

    def objects(self) -> dict[Name, Json]:
        """All that there is of it."""
        return self.stage.recorder.within(self.namespaces) | self.memory()

    def state(self) -> State:
        return normalised(self.objects(), self.words(), _MASKS)

    def words(self) -> Mapping[str, str]:
        """What is different in every run."""
        lives = {uid: f"$life{number}" for number, uid in enumerate(self.uids, start=1)}
        # components/workloads.py: of its own, so that tenants do not come at once.
        hourly = f"{int(digest(self.namespace)[:8], 16) % 60} * * * *"
        return {
            self.namespace: "$tenant",
            self.state_secret: "oidc-client-$hub",
            hourly: "$minute * * * *",
        } | lives

    def plain(self, text: str) -> str:
        for word, meaning in self.words().items():
            text = text.replace(word, meaning)
        return text
