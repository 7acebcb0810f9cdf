"""Start containerd with the images of former runs but none of their containers.

A new cluster's kubelet knows nothing of pods that a killed cluster left in containerd's database. They
are removed before the part of containerd that would show them to the kubelet starts.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

_WAIT_SECONDS = 30
_CRI = "io.containerd.grpc.v1.cri"


def main() -> None:
    """Take containerd's configuration file and socket as arguments and become containerd."""
    config, socket = Path(sys.argv[1]), sys.argv[2]
    root = next(line.split('"')[1] for line in config.read_text().splitlines() if line.startswith("root = "))
    if (Path(root) / "io.containerd.metadata.v1.bolt").exists():
        _remove_containers(config, socket)
    os.execvp("containerd", ["containerd", "--config", str(config)])  # noqa: S606


def _remove_containers(config: Path, socket: str) -> None:
    without_pods = config.with_name("containerd-without-pods.toml")
    text = config.read_text().replace("disabled_plugins = [", f'disabled_plugins = ["{_CRI}", ')
    without_pods.write_text(text.split('[plugins."' + _CRI)[0])
    process = subprocess.Popen(["containerd", "--config", str(without_pods)])
    try:
        deadline = time.monotonic() + _WAIT_SECONDS
        while (found := _ctr(socket, "containers", "ls", "-q")).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"containerd did not answer: {found.stderr}")
            time.sleep(0.05)
        if names := found.stdout.split():
            _ctr(socket, "containers", "rm", *names)
    finally:
        process.terminate()
        process.wait()


def _ctr(socket: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ctr", "--address", socket, "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
