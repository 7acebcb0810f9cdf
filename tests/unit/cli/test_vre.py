"""The `vre` command, as a person calls it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.manifests import GOOD, merge
from vre_operator.api import names
from vre_operator.api.crd import DEFINITIONS, custom_resource_definition
from vre_operator.cli import catalogue, homes
from vre_operator.cli.main import main

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
QUICKSTART = next(path for path in EXAMPLES if path.name == "quickstart.yaml")
SHORT = next(path for path in EXAMPLES if path.name == "short.yaml")
VRESITE = SHORT.parent / "site/vresite.yaml"


def vre(*arguments: str | Path, text: str = "") -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), input=text, catch_exceptions=False)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(merge(GOOD, {"spec": {"hostname": "VRE", "colour": 1}})))
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid_and_render(path: Path) -> None:
    given = ("--site", VRESITE, "-n", "atlas") if path == SHORT else ()
    assert vre("validate", *given, path).exit_code == 0
    result = vre("render", *given, path)
    assert result.exit_code == 0
    documents = list(yaml.safe_load_all(result.output))
    exposing = "HTTPRoute" if path.stem == "gateway" else "Ingress"
    assert {"Namespace", "Deployment", exposing, "Client"} <= {document["kind"] for document in documents}


def test_the_quickstart_is_short() -> None:
    assert len(QUICKSTART.read_text().splitlines()) <= 20


def test_the_shortest_wants_a_site() -> None:
    alone = vre("validate", SHORT)
    assert alone.exit_code == 1
    assert [line.split(": ")[1] for line in alone.stdout.splitlines()] == [
        "spec.hostname",
        "spec.identity.issuer",
    ]
    assert "spec.defaults.domain of the VRESite" in alone.stdout
    rendered = vre("render", "--site", VRESITE, "-n", "atlas", SHORT).stdout
    assert "atlas.vre.example.org" in rendered
    secret = next(
        one
        for one in yaml.safe_load_all(rendered)
        if one["kind"] == "Secret" and one["metadata"]["name"] == "registration"
    )
    assert secret["metadata"]["namespace"] == "vre-system"


def test_what_is_out_of_the_sites_bounds_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "vre.yaml"
    path.write_text(yaml.safe_dump(merge(GOOD, {"metadata": {"namespace": "atlas"}})))
    result = vre("validate", "--site", VRESITE, path)
    assert result.exit_code == 1
    assert f"{path}: spec.hostname: is in no domain that the site gave to this namespace" in result.stdout
    assert f"{path}: spec.identity.issuer: is no identity provider of this site" in result.stdout
    assert vre("validate", "--site", VRESITE, "-n", "stranger", SHORT).exit_code == 1


def test_the_settings_may_hold_what_a_vresite_says(tmp_path: Path) -> None:
    settings = tmp_path / "site.yaml"
    settings.write_text(yaml.safe_dump({"vresite": yaml.safe_load(VRESITE.read_text())["spec"]}))
    arguments = ("-n", "atlas", SHORT)
    rendered = vre("render", "--site", settings, *arguments).stdout
    assert rendered == vre("render", "--site", VRESITE, *arguments).stdout
    assert "atlas.vre.example.org" in rendered
    assert vre("validate", "--site", settings, "-n", "stranger", SHORT).exit_code == 1


def test_a_site_may_be_settings_and_a_vresite(tmp_path: Path) -> None:
    settings = tmp_path / "site.yaml"
    settings.write_text("operatorNamespace: elsewhere\n")
    rendered = vre("render", "--site", settings, "--site", VRESITE, "-n", "atlas", SHORT).stdout
    assert "namespace: elsewhere" in rendered
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(merge(yaml.safe_load(VRESITE.read_text()), {"spec": {"default": {}}})))
    result = vre("validate", "--site", wrong, SHORT)
    assert result.exit_code == 1
    assert "spec.default: unknown field" in result.stdout


def test_one_line_for_each_problem(bad: Path) -> None:
    result = vre("validate", bad)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{bad}: spec.hostname: is no hostname -> give a full DNS name")
    assert second.startswith(f"{bad}: spec.colour: unknown field -> remove it")


def test_several_documents_and_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    documents = ("kind: Secret\nmetadata: {name: a}", QUICKSTART.read_text(), yaml.safe_dump(GOOD))
    path.write_text("\n---\n".join(documents))
    result = vre("validate", path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{path}#2: VREEnvironment quickstart is valid",
        f"{path}#3: VREEnvironment good is valid",
    ]
    assert result.stderr == f"{path}#1: skipped Secret a\n"


def test_a_list_from_kubectl_is_looked_into() -> None:
    items = [dict(GOOD), merge(GOOD, {"spec": {"hostname": "x"}})]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    result = vre("validate", "-", text=yaml.safe_dump(listed))
    assert result.exit_code == 1
    assert "-#2: spec.hostname: " in result.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Secret", "no VREEnvironment in -"),
        ("", "no VREEnvironment in -"),
        ("a: [", "-: is no YAML"),
        ("- a", "-: must be an object"),
        ("kind: VREEnvironment\nspec: 1", "-: spec: must be of type object"),
        ("kind: VREEnvironment\nspec: {hostname: a.b, hostname: c.d}", '"hostname" is given twice'),
        ("apiVersion: vre.science/v1alpha1\nkind: VREEnviroment", "choose 'VREEnvironment'"),
        ("apiVersion: vre.sience/v1alpha1\nkind: VREEnvironment", "choose 'vre.science/v1alpha1'"),
    ],
)
def test_files_that_are_none(text: str, says: str) -> None:
    for command in ("validate", "render"):
        result = vre(command, "-", text=text)
        assert result.exit_code == 1
        assert says in result.output


def test_a_file_that_is_not_there() -> None:
    result = vre("validate", "nowhere.yaml")
    assert result.exit_code == 1
    assert result.stdout == "nowhere.yaml: No such file or directory\n"


def test_summary_tells_everything_in_order() -> None:
    header, *lines = vre("render", QUICKSTART, "-o", "summary").stdout.splitlines()
    assert header.split() == ["STEP", "COMPONENT", "KIND", "NAMESPACE", "NAME", "POLICY"]
    steps = [int(line.split()[0]) for line in lines]
    assert steps == sorted(steps)
    text = " ".join(" ".join(line.split()) for line in lines)
    assert "hub Deployment quickstart hub Delete" in text
    assert "identity oidc Client - hub Delete" in text
    assert len(lines) == len(list(yaml.safe_load_all(vre("render", QUICKSTART).stdout)))


@pytest.mark.parametrize("output", ["yaml", "summary"])
def test_one_kind_of_all_that_is_rendered(output: str) -> None:
    """For who makes namespaces where the operator may not."""
    text = vre("render", QUICKSTART, "--kind", "namespace", "-o", output).stdout
    if output == "yaml":
        made = list(yaml.safe_load_all(text))
        assert {one["kind"] for one in made} == {"Namespace"}
        assert len(made) == 3
    else:
        assert len(text.splitlines()) == 4


def test_render_shows_places_and_no_values() -> None:
    text = vre("render", QUICKSTART).stdout
    assert "<generated once: hex64>" in text
    assert "client_secret: <must be there>" in text
    assert "# because of spec.identity" in text


def test_render_says_what_is_wrong_and_prints_nothing(bad: Path) -> None:
    result = vre("render", bad)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "spec.hostname: is no hostname -> " in result.stderr


def test_render_with_the_sites_settings(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("images: {hub: registry.example.org/hub:1}\n")
    assert "image: registry.example.org/hub:1" in vre("render", QUICKSTART, "--site", site).stdout
    site.write_text("imagess: {}\n")
    result = vre("render", QUICKSTART, "--site", site)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{site}: imagess: unknown field -> did you mean images?\n"


def test_namespace_of_a_file_without_one() -> None:
    text = yaml.safe_dump(merge(GOOD, {"metadata": {"namespace": ...}}))
    assert "namespace: elsewhere" in vre("render", "-", "-n", "elsewhere", text=text).stdout
    result = vre("render", "-", "-n", "a" * 51, text=text)
    assert result.exit_code == 1
    assert "metadata.namespace: is longer than 50 characters" in result.stderr


def test_crd_is_printed() -> None:
    made = [custom_resource_definition(one) for one in DEFINITIONS]
    assert list(yaml.safe_load_all(vre("crd").stdout)) == made


def test_version() -> None:
    assert vre("version").stdout.startswith("vre 0.")


@pytest.mark.parametrize("arguments", [["--help"], ["version"]])
def test_what_needs_no_models_does_not_wait_for_them(arguments: list[str]) -> None:
    program = "import sys; sys.argv[0] = 'vre'; from vre_operator.cli.main import main\n"
    program += "try: main()\nexcept SystemExit: print('pydantic' in sys.modules, 'kubernetes' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False False"


def test_render_and_validate_need_no_client_library() -> None:
    program = "import sys, vre_operator.cli.render, vre_operator.cli.check\n"
    program += "print(sorted({'aiohttp', 'kopf', 'kubernetes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- catalogue ----------------------------------------------------------------------------------------------


def _offer(name: str) -> dict[str, str]:
    return {"name": name, "image": f"example.org/{name}@sha256:1", "since": "2026-11-26T09:12:40Z"}


def test_the_catalogue_tells_what_is_offered_and_who_uses_it() -> None:
    deprecated = {"name": "old", "lifecycle": {"stage": "Deprecated"}}
    told = {"type": "NotebooksReady", "status": "True", "reason": "ImageNotFound", "message": "no such tag"}
    vre = {
        "spec": {"catalogue": {"entries": [{"name": "base"}, deprecated]}},
        "status": {
            "catalogue": [_offer("base") | {"nodes": "2/3"}, _offer("old"), _offer("theirs")],
            "conditions": [told],
        },
    }
    head, base, old, theirs, gone, *rest = catalogue.lines(vre, ["base", "base", "left"])
    assert head.split() == ["NAME", "STAGE", "SESSIONS", "NODES", "SINCE", "IMAGE"]
    assert base.split() == ["base", "Active", "2", "2/3", "2026-11-26T09:12:40Z", "example.org/base@sha256:1"]
    assert old.split()[1:4] == ["Deprecated", "0", "-"]
    assert theirs.split()[1] == "(site)"
    assert gone.split()[:3] == ["left", "Gone", "1"]
    assert "no such tag" in "".join(rest)


TODAY = date(2027, 3, 31)


def _home(person: str, started: str | None) -> dict[str, Any]:
    notes = {homes.PERSON_ANNOTATION: person} | ({names.LAST_START_ANNOTATION: started} if started else {})
    asked = {"resources": {"requests": {"storage": "10Gi"}}}
    return {"metadata": {"name": f"claim-{person}", "annotations": notes}, "spec": asked}


def test_homes_tell_who_left() -> None:
    vre = {"metadata": {"namespace": "survey"}, "spec": {}}
    grown = _home("carol", "2027-03-30") | {"status": {"capacity": {"storage": "20Gi"}}}
    claims = [_home("alice", "2026-01-02"), _home("bob", "2025-12-24"), grown, _home("old", None)]
    head, *rows = homes.lines(vre, claims, {"claim-alice"}, None, TODAY)
    assert head.split() == ["PERSON", "SIZE", "LAST", "START", "SESSION", "CLAIM"]
    assert [row.split() for row in rows] == [
        ["old", "10Gi", "-", "-", "claim-old"],
        ["bob", "10Gi", "2025-12-24", "-", "claim-bob"],
        ["alice", "10Gi", "2026-01-02", "running", "claim-alice"],
        ["carol", "20Gi", "2027-03-30", "-", "claim-carol"],
    ]
    _, bob, *_, advice = homes.lines(vre, claims, {"claim-alice"}, 365, TODAY)
    assert bob.startswith("bob ")
    assert advice.endswith("kubectl -n survey-notebooks delete pvc claim-bob"), "no running, no unknown one"
    assert list(homes.lines(vre, claims, (), 1000, TODAY)) == ["No home was left alone for 1000 days."]
    common = {"spec": {"storage": {"homes": {"claim": {"name": "nfs"}}}}}
    (told,) = homes.lines(common, [], (), None, TODAY)
    assert "the claim nfs" in told


def test_a_catalogue_of_which_nothing_is_known_says_so() -> None:
    (line,) = catalogue.lines({"spec": {}}, [])
    assert "resolveTags" in line
