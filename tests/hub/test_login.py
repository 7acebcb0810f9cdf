"""The real hub, proxy and PostgreSQL: who gets in, who is refused, who is sent away again."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from dev.ports import free_port
from tests import software
from tests.hub import provider as providers
from tests.hub.files import PASSWORD, SECRETS, lay_out
from tests.hub.provider import Provider, query
from tests.postgres import server as postgres
from tests.site import eventually
from tests.unit.components.scenarios import QUICKSTART

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEC = QUICKSTART | {"identity": QUICKSTART["identity"] | {"adminGroups": ["/admins", "<b>100 %s</b>"]}}


@dataclass
class Hub:
    port: int
    provider: Provider
    log: Path
    tokens: int = 0
    pid: int = 0

    def api(self, path: str, service: str = "vre-operator") -> tuple[int, str]:
        browser = Browser(self)
        token = SECRETS[f"{service}-token"]
        status, _, body = browser.get(f"/hub/api{path}", {"Authorization": f"token {token}"})
        return status, body


@dataclass
class Browser:
    """told: the page at the end of its last login."""

    hub: Hub
    cookies: dict[str, str] = field(default_factory=dict)
    told: str = ""

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, where it redirects to, and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request("GET", path, headers={"Cookie": jar, "Sec-Fetch-Mode": "navigate"} | (headers or {}))
        with closing(connection), connection.getresponse() as answer:
            body = answer.read().decode()
        for header in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        return answer.status, answer.headers["Location"] or "", body

    def post(self, path: str, body: object) -> tuple[int, str]:
        """As the hub's own pages send it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": jar, "X-XSRFToken": self.cookies["_xsrf"], "Sec-Fetch-Mode": "cors"}
        connection.request("POST", path, json.dumps(body), headers | {"Sec-Fetch-Site": "same-origin"})
        with closing(connection), connection.getresponse() as answer:
            return answer.status, answer.read().decode()

    def follow(self, path: str) -> str:
        """To the redirect that leads to the provider."""
        for _ in range(10):
            status, target, _ = self.get(path)
            assert status == 302, (status, path)
            if target.startswith(self.hub.provider.address):
                return target
            path = target.removeprefix("https://ocean.example.org")
        raise AssertionError("too many redirects")

    def log_in(self, **person: object) -> int:
        """Open the front page, be sent to the provider, come back; the status of that."""
        self.hub.provider.person = person
        asked = query(self.follow("/"))
        assert asked["redirect_uri"] == "https://ocean.example.org/hub/oauth_callback"
        assert asked["scope"].split()[:3] == ["openid", "profile", "email"]
        assert asked["code_challenge_method"] == "S256"
        self.hub.provider.challenge = asked["code_challenge"]
        status, _, self.told = self.get(f"/hub/oauth_callback?code=c&state={asked['state']}")
        return status

    def is_in(self) -> bool:
        return self.get("/hub/home")[0] == 200


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with with_spec(SPEC) as running:
        yield running


@contextmanager
def with_spec(spec: dict[str, Any], *, people: tuple[str, str] = ("", ""), **environment: str) -> Iterator[Hub]:
    """A tenant's hub, its proxy, its database and a provider. people: as `lay_out` takes it."""
    with tempfile.TemporaryDirectory(prefix="vre-hub-") as name, providers.running(Path(name)) as provider:
        directory = Path(name)
        directory.chmod(0o755)
        home = directory / "postgres"
        home.mkdir()
        with postgres.running(home) as database:
            literal = PASSWORD.replace("'", "''")
            database.sql(f"CREATE ROLE \"hub@x\" LOGIN PASSWORD '{literal}'")
            database.sql('CREATE DATABASE hub OWNER "hub@x"')
            connection = {"host": "127.0.0.1", "port": str(database.port), "username": "hub@x"}
            address = provider.address
            lay_out(directory / "root", spec, provider=address, database=connection, people=people)
            yield from start(directory, provider, environment)


_WITHOUT_CLUSTER = {"VRE_SESSION": str(Path(__file__).with_name("session_stand_in.py"))}


def start(directory: Path, provider: Provider, more: Mapping[str, str]) -> Iterator[Hub]:
    front, api, port, tokens = (free_port() for _ in range(4))
    hub_address = f"http://127.0.0.1:{port}"
    arguments = [
        f"--port={front}",
        f"--api-port={api}",
        f"--default-target={hub_address}",
        "--ip=",
        "--api-ip=",
    ]
    token = {"CONFIGPROXY_AUTH_TOKEN": SECRETS["proxy-token"]}
    environment = os.environ | {
        "VRE_HUB_ROOT": str(directory / "root"),
        "VRE_CA_FILE": str(directory / "provider.crt"),
        "TMPDIR": str(directory),
        "HUB_PORT": str(port),
        "PROXY_API_PORT": str(api),
        "TOKENS_PORT": str(tokens),
        "PATH": f"{software.environment('hub')}{os.pathsep}{os.environ['PATH']}",
    }
    environment |= more if "KUBECONFIG" in more else {**_WITHOUT_CLUSTER, **more}
    config = Path(__file__).with_name("on_this_machine.py")
    log = directory / "hub.log"
    with (
        software.process([*software.proxy(), *arguments], directory / "proxy.log", env=os.environ | token),
        software.process(
            ["jupyterhub", "--config", str(config)], log, env=environment, cwd=directory
        ) as running,
    ):
        hub = Hub(front, provider, log, tokens, running.pid)
        end = time.monotonic() + 180
        while "JupyterHub is now running" not in log.read_text():
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield hub


def test_member_is_sent_to_the_provider_and_comes_in(hub: Hub) -> None:
    alice = Browser(hub)
    assert alice.log_in(preferred_username="Alice", groups=["/ocean"]) == 302
    assert alice.is_in()
    users = json.loads(hub.api("/users")[1])
    assert [(user["name"], user["admin"], user["groups"]) for user in users if user["name"] == "alice"] == [
        ("alice", False, ["/ocean"])
    ]


def test_each_is_told_of_own_sessions_alone(hub: Hub) -> None:
    dora, erik, nobody = Browser(hub), Browser(hub), Browser(hub)
    for person, name in ((dora, "dora"), (erik, "erik")):
        assert person.log_in(preferred_username=name, groups=["/ocean"]) == 302
    # As the page's program asks.
    asked = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    users = hub.api("/users")[1]
    assert {"dora", "erik"} <= {user["name"] for user in json.loads(users)}
    for whom, known in ((dora, "dora"), (erik, "erik"), (nobody, None)):
        status, _, body = whom.get("/hub/me", asked)
        assert (status, json.loads(body)) == (200, {"name": known, "sessions": []})


def test_message_of_the_day_is_text_and_comes_without_a_restart(hub: Hub) -> None:
    frank = Browser(hub)
    assert frank.log_in(preferred_username="frank", groups=["/ocean"]) == 302
    assert "announcement" not in frank.get("/hub/home")[2]
    file = hub.log.parent / "root/images/message.json"
    before = file.read_text()
    file.write_text(json.dumps("<b>closed</b> & {{ 7 * 7 }}"))
    try:
        assert "&lt;b&gt;closed&lt;/b&gt; &amp; {{ 7 * 7 }}" in frank.get("/hub/home")[2]
    finally:
        file.write_text(before)
    assert "announcement" not in frank.get("/hub/home")[2]


def test_hub_trusts_the_site_and_the_world(hub: Hub) -> None:
    # That logins work says the first.
    bundle = (hub.log.parent / "ca-bundle.crt").read_text()
    assert (hub.log.parent / "provider.crt").read_text() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 50


def test_stranger_is_refused(hub: Hub) -> None:
    bob = Browser(hub)
    assert bob.log_in(preferred_username="bob", groups=["/elsewhere"]) == 403
    assert not bob.is_in()
    assert "none of its groups (/admins, /ocean, &lt;b&gt;100 %s&lt;/b&gt;)" in bob.told
    nobody = Browser(hub)
    assert nobody.log_in(preferred_username="nobody") == 403, "no groups claim at all"


def test_admin_is_admin(hub: Hub) -> None:
    assert Browser(hub).log_in(preferred_username="root", groups=["/admins"]) == 302
    users = json.loads(hub.api("/users")[1])
    assert [user["name"] for user in users if user["admin"]] == ["root"]


def test_who_leaves_the_group_is_out_at_the_next_refresh(hub: Hub) -> None:
    carol = Browser(hub)
    assert carol.log_in(preferred_username="carol", groups=["/ocean"]) == 302
    time.sleep(1.5)
    assert carol.is_in(), "still a member"
    hub.provider.person = {"preferred_username": "carol", "groups": ["/elsewhere"]}
    time.sleep(1.5)
    assert not carol.is_in()
    assert carol.log_in(preferred_username="carol", groups=["/elsewhere"]) == 403


def servers(hub: Hub, name: str) -> list[str]:
    """Those of a person that are ready."""
    found = json.loads(hub.api(f"/users/{name}")[1]).get("servers", {})
    return [key for key, server in found.items() if server["ready"]]


def started(hub: Hub, name: str) -> str:
    """Somebody logs in and starts a session; a token as that session has one."""
    browser = Browser(hub)
    assert browser.log_in(preferred_username=name, groups=["/ocean"]) == 302
    assert browser.is_in()
    status, body = browser.post(f"/hub/api/users/{name}/tokens", {"scopes": [f"access:servers!server={name}/"]})
    assert status == 201, body
    assert browser.post(f"/hub/api/users/{name}/server", {})[0] in (201, 202)
    eventually(lambda: servers(hub, name), lambda ready: ready == [""])
    return str(json.loads(body)["token"])


def test_who_leaves_the_group_loses_the_session(hub: Hub) -> None:
    """Also without a page that is open: the session itself asks the hub."""
    token = started(hub, "gina")
    stranger = Browser(hub)
    hub.provider.person = {"preferred_username": "gina", "groups": ["/elsewhere"]}
    time.sleep(1.5)
    stranger.get("/hub/api/user", {"Authorization": f"token {token}"})
    eventually(lambda: servers(hub, "gina"), lambda ready: ready == [])
    assert "gina is in no allowed group any more" in hub.log.read_text()


def test_whose_login_has_ended_keeps_the_session(hub: Hub) -> None:
    """What computes over night is nobody's leaving."""
    token = started(hub, "hugo")
    hub.provider.ended = True
    try:
        for _ in range(3):
            time.sleep(1.2)
            Browser(hub).get("/hub/api/user", {"Authorization": f"token {token}"})
        assert servers(hub, "hugo") == [""]
    finally:
        hub.provider.ended = False


def test_operator_may_do_what_it_needs_and_no_more(hub: Hub) -> None:
    assert hub.api("/info")[0] == 200
    assert hub.api("/metrics")[0] == 200
    assert Browser(hub).get("/hub/metrics")[0] == 403
    users = json.loads(hub.api("/users")[1])
    assert all("auth_state" not in user for user in users)
    assert hub.api("/users/alice/tokens")[0] in (403, 404)
    assert hub.api("/proxy")[0] == 200


def test_culler_runs_and_may_only_cull(hub: Hub) -> None:
    assert "Starting service 'idle-culler'" in hub.log.read_text()
    assert hub.api("/users", "idle-culler")[0] == 200
    assert hub.api("/info", "idle-culler")[0] == 403
    time.sleep(3)
    assert "idle-culler exited" not in hub.log.read_text()


def test_log_tells_no_secret_and_knows_every_setting(hub: Hub) -> None:
    text = hub.log.read_text()
    for secret in (*SECRETS.values(), "client-secret", PASSWORD):
        assert secret not in text
    assert "not recognized" not in text
