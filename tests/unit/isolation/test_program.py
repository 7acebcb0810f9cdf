"""The program that tries the walls, before real sockets: what listens, what refuses, what is silent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.site import ROOT

PROGRAM = ROOT / "vre_operator/components/isolation/files/isolation.py"


class Told(NamedTuple):
    code: int
    rows: list[list[str]]
    words: str

    def state(self, what: str) -> str:
        (found,) = [row for row in self.rows if row[1] == what]
        return found[0]

    def how(self, what: str) -> str:
        (found,) = [row for row in self.rows if row[1] == what]
        return found[3]


def refusing() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def silent() -> Iterator[int]:
    """A port that answers nobody, as behind a wall: its queue is full, and the kernel drops what comes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(address)
        time.sleep(0.1)
        yield address[1]
        for one in full:
            one.close()


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def canary() -> Iterator[tuple[int, int]]:
    """The program itself: its two ports."""
    with canary_of() as ports:
        yield ports


@contextmanager
def canary_of() -> Iterator[tuple[int, int]]:
    control, port = refusing(), refusing()
    process = subprocess.Popen([sys.executable, str(PROGRAM), "listen", str(control), str(port)])
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield control, port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def at(what: str, port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    return {"what": what, "host": host, "port": port}


def tried(
    folder: Path,
    control: int,
    canary: int,
    *walls: dict[str, Any],
    more: list[dict[str, Any]] | None = None,
    env: dict[str, str] | None = None,
    **wish: Any,
) -> Told:
    document = {
        "who": "a notebook",
        "control": at("control", control),
        "alive": [],
        "canary": at("canary", canary),
        "walls": list(walls),
        "node": [],
        "routes": str(folder / "routes"),
        "secrets": [str(folder / "secrets")],
    } | wish
    file = folder / "attempts.json"
    file.write_text(json.dumps(document))
    quick = {
        "ANSWER_SECONDS": "0.5",
        "PATIENCE_SECONDS": "0.2",
        "LATE_SECONDS": "0.2",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "try", str(file), *([json.dumps(more)] if more else [])],
        env=quick | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    *rows, words = done.stdout.splitlines()
    assert len(words) <= 300, "the condition has no room for more"
    return Told(done.returncode, [row.split("\t") for row in rows], words)


def test_what_refuses_and_what_is_silent_is_stopped(tmp_path: Path, canary: tuple[int, int]) -> None:
    with silent() as blackhole, silent() as wall:
        told = tried(tmp_path, canary[0], wall, at("database", blackhole), at("hub", refusing()))
    assert told.code == 0, told
    assert told.words == "a notebook: 5 attempts, all stopped"
    assert told.rows[0][:2] == ["reached", "control"]
    assert (told.state("canary"), told.how("canary")) == ("stopped", "no answer")
    assert (told.state("database"), told.how("database")) == ("stopped", "no answer")
    assert (told.state("hub"), told.how("hub")) == ("stopped", "refused")


def test_a_canary_that_answers_means_that_policies_count_for_nothing(
    tmp_path: Path, canary: tuple[int, int]
) -> None:
    told = tried(tmp_path, *canary, at("database", refusing()))
    assert told.code == 3
    assert told.words.startswith(
        "the cluster's network plugin enforces no NetworkPolicy: a notebook reaches 1 of 4"
    )
    assert "Calico or Cilium" in told.words
    assert told.state("database") == "stopped"


def test_what_listens_is_open_and_named(tmp_path: Path, canary: tuple[int, int], listening: int) -> None:
    names = [at(f"wall {number} with a name that takes some room", listening) for number in range(6)]
    told = tried(tmp_path, canary[0], refusing(), *names)
    assert told.code == 2
    assert told.words.startswith(
        f"a notebook reaches what it must not: {names[0]['what']} (127.0.0.1:{listening})"
    )
    assert told.words.endswith(" and 3 more")


def test_a_dead_network_is_no_wall(tmp_path: Path) -> None:
    told = tried(tmp_path, refusing(), refusing(), at("database", refusing()))
    assert told.code == 4
    assert told.words.startswith("nothing can be told: a notebook does not reach control (127.0.0.1:")
    assert told.words.endswith("as it must: refused")


def test_nor_is_one_in_which_the_hub_is_away(tmp_path: Path, canary: tuple[int, int]) -> None:
    told = tried(tmp_path, canary[0], refusing(), alive=[at("hub", refusing())])
    assert told.code == 4
    assert "does not reach hub" in told.words


def test_what_is_open_in_a_dead_network_is_told_all_the_same(tmp_path: Path, listening: int) -> None:
    assert tried(tmp_path, refusing(), refusing(), at("database", listening)).code == 2


def test_what_must_answer_may_take_its_time(tmp_path: Path) -> None:
    control = refusing()
    server: list[socket.socket] = []
    later = threading.Timer(1.0, lambda: server.append(socket.create_server(("127.0.0.1", control))))
    later.start()
    told = tried(tmp_path, control, refusing(), env={"PATIENCE_SECONDS": "20"})
    later.join()
    server[0].close()
    assert told.code == 0


def test_a_wall_that_is_late_is_one_and_told(tmp_path: Path, canary: tuple[int, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        closing = threading.Timer(1.5, server.close)
        closing.start()
        told = tried(tmp_path, canary[0], refusing(), at("late", port), env={"LATE_SECONDS": "20"})
        closing.join()
    assert told.code == 0
    assert told.state("late") == "stopped"
    assert "refused, but open for the first " in told.how("late")


def test_a_name_that_nobody_has_is_stopped(tmp_path: Path, canary: tuple[int, int]) -> None:
    told = tried(tmp_path, canary[0], refusing(), at("gone", 80, "no-such-name.invalid"))
    assert (told.code, told.how("gone")) == (0, "no such name")


def test_the_api_server_and_the_node_are_known_to_the_pod(
    tmp_path: Path, canary: tuple[int, int], listening: int
) -> None:
    env = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(listening),
        "NODE": "127.0.0.1",
    }
    told = tried(tmp_path, canary[0], refusing(), env=env, node=[{"what": "node: kubelet", "port": listening}])
    assert told.code == 2
    assert told.state("API server by its address") == "open"
    assert told.state("node: kubelet") == "open"


def test_the_way_out_of_the_pod_is_the_node_by_another_address(
    tmp_path: Path, canary: tuple[int, int], listening: int
) -> None:
    routes = tmp_path / "routes"
    head = "Iface\tDestination\tGateway\tFlags\n"
    node: dict[str, Any] = {"node": [{"what": "node: kubelet", "port": listening}]}
    routes.write_text(head + "eth0\t00000000\t0100007F\t0003\neth0\t0000F4AC\t00000000\t0001\n")
    told = tried(tmp_path, canary[0], refusing(), **node)
    assert told.words.endswith(f"node: kubelet by the gateway (127.0.0.1:{listening})")
    routes.write_text(head + "eth0\t00000000\t0101FEA9\t0003\n")  # Calico's 169.254.1.1
    assert tried(tmp_path, canary[0], refusing(), **node).code == 0


def test_a_node_with_a_public_address_is_not_tried(tmp_path: Path, canary: tuple[int, int]) -> None:
    node = [{"what": "node: kubelet", "port": 10250}]
    told = tried(tmp_path, canary[0], refusing(), env={"NODE": "8.8.8.8"}, node=node)
    assert told.code == 0
    assert told.state("node: kubelet") == "skipped"
    assert tried(tmp_path, canary[0], refusing(), node=node).state("node: kubelet") == "skipped"


def test_credentials_in_the_pod_are_told_by_their_names_alone(tmp_path: Path, canary: tuple[int, int]) -> None:
    told = tried(tmp_path, canary[0], refusing(), env={"AWS_SECRET_ACCESS_KEY": "hush-1"})
    assert told.code == 2
    assert told.words.endswith("credentials in the environment (AWS_SECRET_ACCESS_KEY)")
    folder = tmp_path / "secrets" / "kubernetes.io" / "serviceaccount"
    folder.mkdir(parents=True)
    (folder / "token").write_text("hush-2")
    told = tried(tmp_path, canary[0], refusing())
    assert told.code == 2
    assert told.words.endswith(f"mounted credentials ({folder}/token)")
    assert "hush" not in str(told)


def test_more_can_be_asked_for(tmp_path: Path, canary: tuple[int, int], listening: int) -> None:
    told = tried(tmp_path, canary[0], refusing(), more=[at("Service b/hub", listening)])
    assert told.code == 2
    assert "Service b/hub" in told.words
