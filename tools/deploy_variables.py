"""Writes the variables of the Ansible roles into docs/deploy.md, from their argument_specs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).resolve().parent.parent
_ROLES = _ROOT / "playbooks/collections/ansible_collections/pdsno/nib/roles"
PAGE = _ROOT / "docs/deploy.md"
_BEGIN = "<!-- variables: written by tools/deploy_variables.py -->"
_END = "<!-- end of variables -->"


def _rows(entry_points: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for one role: each variable once, those of `main` first.

    What only the playbooks set, with no default and outside of `main`, is no user's.
    """
    shown = set()
    for name, entry in entry_points.items():
        for variable, option in entry["options"].items():
            is_internal = name != "main" and option.get("required", False)
            if variable in shown or is_internal:
                continue
            shown.add(variable)
            default = "required" if option.get("required") else f"`{option['default']!r}`"
            if isinstance(option.get("default"), str) and option["type"] != "path":
                default = option["default"] or "none"
            about = option["description"].strip()
            yield f"| `{variable}` | {option['type']} | {default} | {about} |"


def variables() -> str:
    """Return the tables, one a role."""
    parts = []
    for file in sorted(_ROLES.glob("*/meta/argument_specs.yml")):
        role = file.parent.parent.name
        specs = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]
        parts += [f"### {role}", "", specs["main"]["short_description"] + ".", ""]
        parts += ["| variable | type | default | means |", "|---|---|---|---|"]
        parts += [*_rows(specs), ""]
    return "\n".join(parts)


def page() -> str:
    """Return the page with its tables as they should be."""
    pattern = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    tables = f"{_BEGIN}\n\n{variables()}\n{_END}"
    return pattern.sub(lambda _: tables, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
