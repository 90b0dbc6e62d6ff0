"""The README's support table, made from the tests: `python -m tests.support` writes it anew.

`support.yaml` names for each promise the tests that hold it; a promise whose tests are gone fails `unit/test_support.py`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

TESTS = Path(__file__).parent
README = TESTS.parent / "README.md"
BEGIN, END = "<!-- support -->\n", "<!-- /support -->\n"
ON_CONTAINERS = ("docker/", "kubectl/")


@dataclass(frozen=True)
class Promise:
    """One line of the table. `tests`: `<file below tests>::<function>`, or `<file>` for all of it."""

    area: str
    what: str
    tests: tuple[str, ...]

    @property
    def proof(self) -> str:
        """Where it is tested: with real containers, or on the pure part alone."""
        return "containers" if any(test.startswith(ON_CONTAINERS) for test in self.tests) else "logic"


def promises() -> list[Promise]:
    areas: dict[str, dict[str, str | list[str]]] = yaml.safe_load((TESTS / "support.yaml").read_text())["supported"]
    return [
        Promise(area, what, tuple([tests] if isinstance(tests, str) else tests))
        for area, lines in areas.items()
        for what, tests in lines.items()
    ]


def unsupported() -> dict[str, str]:
    """What isn't there, and what happens instead."""
    lines: dict[str, str] = yaml.safe_load((TESTS / "support.yaml").read_text())["unsupported"]
    return lines


def exists(test: str) -> bool:
    file, _, function = test.partition("::")
    return (TESTS / file).is_file() and (not function or function in _functions(file))


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def table() -> str:
    """One row for each area and kind of proof, then what isn't supported."""
    rows = ["| area | supported and tested | with |", "|---|---|---|"]
    lines = promises()
    for area in dict.fromkeys(line.area for line in lines):
        for proof in ("containers", "logic"):
            held = [line.what for line in lines if line.area == area and line.proof == proof]
            if held:
                rows.append(f"| {area} | {'; '.join(held)} | {proof} |")
    rows += ["", "| not supported | what happens |", "|---|---|"]
    rows += [f"| {what} | {instead} |" for what, instead in unsupported().items()]
    return "\n".join(rows) + "\n"


def in_readme() -> str:
    return README.read_text().split(BEGIN)[1].split(END)[0]


def main() -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
