"""The `vre` command. Each command imports what it needs itself: a person waits for every one of them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import click

T = TypeVar("T")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Tells what a VREEnvironment leads to and what is wrong with it.

    \b
    vre validate vre.yaml              what would be refused, and what to do about it
    vre render vre.yaml -o summary     everything that would be made, in order
    vre catalogue -n survey            what people are offered in a cluster
    vre homes -n survey --unused 365   homes of people who left
    vre selftest isolation -n survey   whether the walls around it hold
    """


_site_files = click.option(
    "--site",
    "site_files",
    multiple=True,
    metavar="SITE.yaml",
    help="The site's settings or its VRESite; may be given twice. The defaults when absent.",
)
_namespace = click.option(
    "-n", "--namespace", default="default", show_default=True, help="Namespace, where FILE names none."
)


@main.command(short_help="Say what is wrong with manifests.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_site_files
@_namespace
def validate(files: tuple[str, ...], site_files: tuple[str, ...], namespace: str) -> None:
    """Say what is wrong with the VREEnvironments in FILE... (- reads standard input).

    Prints one line for each problem, `FILE: FIELD: PROBLEM -> REMEDY`, and exits with 1 when there is one. The
    same rules are in the CRD, so what passes here passes `kubectl apply`. Changes of fields that cannot change
    are seen by the cluster only, as they need the former state. With --site and a VRESite what that gives may
    be missing, and what is out of its bounds is a problem.
    """
    from vre_operator.cli.check import check, check_site

    given, wrong = check_site(site_files)
    if wrong:
        click.echo("\n".join(wrong))
        raise SystemExit(1)
    good = bad = 0
    for finding in (finding for path in files for finding in check(path, namespace, given)):
        for problem in (*finding.problems, *finding.beyond):
            click.echo(problem)
        if finding.note:
            click.echo(finding.note, err=True)
        fine = finding.environment is not None and not finding.beyond
        if finding.environment and fine:
            click.echo(f"{finding.place}: VREEnvironment {finding.environment.tenant.name} is valid")
        good += fine
        bad += bool(finding.problems or finding.beyond)
    if not good and not bad:
        click.echo(f"no VREEnvironment in {', '.join(files)}", err=True)
    raise SystemExit(1 if bad or not good else 0)


@main.command(short_help="Print everything that a manifest leads to.")
@click.argument("file", metavar="FILE")
@_site_files
@_namespace
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "summary"]),
    default="yaml",
    show_default=True,
    help="All objects in full, or a line for each.",
)
@click.option("--kind", default="", help="Only objects of this kind, such as Namespace.")
def render(file: str, site_files: tuple[str, ...], namespace: str, output: str, kind: str) -> None:
    """Print everything that the VREEnvironments in FILE lead to (- reads standard input).

    That is every Kubernetes object and everything at the identity provider, in the order in which they are
    made. Values that come into being only in a cluster, secrets among them, are shown as <placeholders>.
    """
    from vre_operator.cli.check import check, check_site
    from vre_operator.cli.render import as_summary, as_yaml, plan

    given, problems = check_site(site_files)
    findings = list(check(file, namespace, given))
    environments = [finding.environment for finding in findings if finding.environment]
    problems = (*problems, *(problem for finding in findings for problem in finding.problems))
    if not environments and not problems:
        problems = (f"no VREEnvironment in {file}",)
    if problems:
        click.echo("\n".join(problems), err=True)
        raise SystemExit(1)
    for environment in environments:
        for text in (as_yaml if output == "yaml" else as_summary)(plan(environment, given.settings), kind):
            click.echo(text)


@main.command(short_help="Show the environments that people are offered.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("-n", "--namespace", default="default", show_default=True, help="The tenant's namespace.")
@click.option("--context", help="Context of the kubeconfig; the current one when absent.")
def catalogue(name: str | None, namespace: str, context: str | None) -> None:
    """Show which image each environment of a tenant's catalogue starts, since when, and how many use it.

    Asks the cluster of the kubeconfig, unlike the other commands.
    """
    from vre_operator.cli.catalogue import read

    _print(read(context, namespace, name))


@main.command(short_help="Show people's homes, and which are unused.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("-n", "--namespace", default="default", show_default=True, help="The tenant's namespace.")
@click.option("--context", help="Context of the kubeconfig; the current one when absent.")
@click.option(
    "--unused", type=click.IntRange(1), metavar="DAYS", help="Only those that nobody used for so long."
)
def homes(name: str | None, namespace: str, context: str | None, unused: int | None) -> None:
    """Show the home of each person of a tenant, its size, and the day of the last start.

    Asks the cluster of the kubeconfig. Deletes nothing; with --unused it says how to.
    """
    from vre_operator.cli.homes import read

    _print(read(context, namespace, name, unused))


@main.group(short_help="Try now what is tried on a schedule.")
def selftest() -> None:
    """Try now what is tried on a schedule."""


@selftest.command(short_help="Try the walls around a tenant from inside.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("-n", "--namespace", default="default", show_default=True, help="The tenant's namespace.")
@click.option("--context", help="Context of the kubeconfig; the current one when absent.")
@click.option(
    "--neighbour",
    "neighbours",
    multiple=True,
    metavar="NAMESPACE",
    help="Another tenant, whose services and pods are to be tried, too. Repeatable.",
)
@click.option(
    "--timeout", type=click.IntRange(1), default=300, show_default=True, help="Seconds for each of the pods."
)
def isolation(
    name: str | None, namespace: str, context: str | None, neighbours: tuple[str, ...], timeout: int
) -> None:
    """Try from a tenant's notebooks and jobs what its walls must stop, and print what was open.

    Starts in the cluster of the kubeconfig the Job that comes on a schedule, so the tenant's condition
    Isolated tells the same afterwards. With --neighbour that tenant's addresses are seen in the Job; it is
    deleted at the end, and the condition knows nothing of it.

    Exits with 1 when something was open, and with 2 when nothing can be told.
    """
    from vre_operator.cli.selftest import Wish, run

    wish = Wish(namespace, name, neighbours, timeout)
    lines, code = _asked(run(context, wish, lambda text: click.echo(text, err=True)), failure=2)
    click.echo("\n".join(lines))
    raise SystemExit(code)


@main.command(short_help="Print the CustomResourceDefinitions.")
def crd() -> None:
    """Print those of VREEnvironment and VRESite, for `kubectl apply --server-side -f -`."""
    from vre_operator.api.crd import as_yaml

    click.echo(as_yaml(), nl=False)


@main.command(short_help="Print the version.")
def version() -> None:
    """Print the version of this command and of the API that it knows."""
    from importlib.metadata import version as installed

    from vre_operator.api.names import API_VERSION

    click.echo(f"vre {installed('vre-operator')} ({API_VERSION})")


def _print(lines: Coroutine[Any, Any, Iterable[str]]) -> None:
    """What a cluster tells, or why it does not."""
    click.echo("\n".join(_asked(lines)))


def _asked(answer: Coroutine[Any, Any, T], *, failure: int = 1) -> T:
    """The answer of a cluster; without one it is told why, and that is the end. failure: its exit code."""
    import asyncio

    from vre_operator.cli.cluster import ClusterError

    try:
        return asyncio.run(answer)
    except ClusterError as error:
        click.echo(str(error), err=True)
        raise SystemExit(failure) from None
