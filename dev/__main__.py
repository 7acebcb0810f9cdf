"""Command line of the development cluster: ``python -m dev``."""

import json
from pathlib import Path

import click

from dev.cluster import Cluster
from dev.cluster.binaries import binaries as build_binaries
from dev.progress import note
from dev.system import MissingError

_name = click.option("--name", default="", help="Which cluster; default $VRE_DEV_NAME, else dev.")


class _Group(click.Group):
    """Show what went wrong as a sentence and not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (MissingError, RuntimeError, ValueError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
def main() -> None:
    """Run a real Kubernetes cluster for development on this machine."""


@main.command()
@_name
@click.option("--no-node", is_flag=True, help="API server, controllers and a simulated node only.")
@click.option("--https-port", default=443, show_default=True, help="Port of 127.0.0.1 that leads to Ingress.")
@click.option("--http-port", default=80, show_default=True, help="The same for plain http.")
@click.option("--no-host-ports", is_flag=True, help="Open no port of 127.0.0.1, as for a second cluster.")
def up(name: str, no_node: bool, https_port: int, http_port: int, no_host_ports: bool) -> None:
    """Start the cluster, building and installing first what is missing."""
    cluster = Cluster(name)
    closed = no_host_ports or no_node
    cluster.up(
        node=not no_node,
        https_port=None if closed else https_port,
        http_port=None if closed else http_port,
    )
    note(f"cluster {cluster.name} is ready: export KUBECONFIG={cluster.kubeconfig}")


@main.command()
@_name
@click.option("--forget-images", is_flag=True, help="Remove the images loaded into it as well.")
def down(name: str, forget_images: bool) -> None:
    """Remove the cluster and everything of it on this machine."""
    Cluster(name).down(forget_images=forget_images)


@main.command()
@_name
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(name: str, as_json: bool) -> None:
    """Show addresses and files of the cluster; exit code 1 unless it is ready."""
    found = Cluster(name).status()
    lines = [f"{key:14} {value}" for key, value in found.items()]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))
    if not found["ready"]:
        raise SystemExit(1)


@main.command()
@_name
def kubeconfig(name: str) -> None:
    """Print the path of the administrator's kubeconfig."""
    click.echo(Cluster(name).kubeconfig)


@main.command()
@_name
@click.argument("archives", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def load(name: str, archives: tuple[Path, ...]) -> None:
    """Load image archives (docker or OCI) into the node; what it has already is skipped."""
    for image in Cluster(name).load(archives):
        click.echo(image)


@main.command()
def binaries() -> None:
    """Build the cluster's programs and print their directory."""
    click.echo(build_binaries())


if __name__ == "__main__":
    main(prog_name="python -m dev")
