"""``python -m dev.generate``: write the files that follow from the models. ``make crds`` calls it.

The chart holds a copy of the CRDs and not a link: GitOps tools leave links out when they pack a chart.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from dev.reference import reference
from vre_operator.api.bounds import admission_policy
from vre_operator.api.crd import DEFINITIONS, custom_resource_definition
from vre_operator.api.site import Site

_REPOSITORY = Path(__file__).resolve().parents[1]
_CHART = _REPOSITORY / "helm" / "vre-operator"
_VALUES_SCHEMA = _CHART / "values.schema.json"
_NOTE = "# Generated from vre_operator/api by `make crds`; do not edit.\n"


def generated() -> dict[Path, str]:
    """Give every generated file and what must stand in it."""
    files = {_VALUES_SCHEMA: _values_schema(), _CHART / "files" / "bounds.yaml": _text(admission_policy())}
    for one in DEFINITIONS:
        crd = _text(custom_resource_definition(one))
        files[_REPOSITORY / "crds" / f"{one.name}.yaml"] = crd
        files[_CHART / "files" / "crds" / f"{one.name}.yaml"] = crd
        files[_REPOSITORY / "docs" / "reference" / f"{one.kind.lower()}.md"] = reference(one)
    return files


def _text(data: Any) -> str:
    return _NOTE + yaml.safe_dump(data, sort_keys=False, width=110)


def _values_schema() -> str:
    """Put the site's model into the hand-written schema of the chart's values."""
    schema = json.loads(_VALUES_SCHEMA.read_text())
    site = _plain(Site.model_json_schema(by_alias=True, ref_template="#/definitions/{model}"))
    definitions = site.pop("$defs", {}) | {"Site": site}
    own = {name: value for name, value in schema["definitions"].items() if name[0].islower()}
    return json.dumps(schema | {"definitions": own | dict(sorted(definitions.items()))}, indent=2) + "\n"


def _plain(node: Any) -> Any:
    """Leave out what Helm has no use for: titles made of field names, defaults, Kubernetes' extensions."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    noise = {key for key, value in node.items() if key.startswith("x-kubernetes-") or key == "default"}
    noise |= {key for key, value in node.items() if key == "title" and isinstance(value, str)}
    return {key: _plain(value) for key, value in node.items() if key not in noise}


def main() -> None:
    """Write what differs."""
    for path, text in generated().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"  wrote {path.relative_to(_REPOSITORY)}")


if __name__ == "__main__":
    main()
