"""The layers: lower packages never import higher ones, and each library is imported in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "kubelite"

# What each part may import of kubelite, beside itself.
BASE = {"errors", "config", "objects"}
REGISTRY = {*BASE, "schema", "store", "registry"}
ALLOWED = {
    "errors": set[str](),
    "config": set[str](),
    "objects": {"errors"},
    "schema": {*BASE},
    "store": {*BASE},
    "registry": {*BASE, "schema", "store"},
    "tokens": {*BASE},
    "pki": set[str](),
    "engine": {"errors", "config"},
    "manifests": {*BASE, "schema"},
    "controllers": {*REGISTRY},
    "node": {*REGISTRY},
    "net": {*REGISTRY},
    "streams": {*REGISTRY, "node"},
    "api": {*REGISTRY, "streams", "tokens", "node"},
}
# Of another part of the same level, only these modules.
NARROW = {"streams": {"kubelite.node.process", "kubelite.node.runtime"}, "api": {"kubelite.node.process"}}

LIBRARIES = {
    "aiohttp": ("api/", "streams/", "cluster.py", "cli/execute.py"),
    "sqlite3": ("store/",),
    "docker": ("node/docker_", "node/streams.py", "engine/", "cluster.py", "lifecycle/", "cli/", "testing/"),
    "dns": ("net/dns/", "cli/", "testing/"),
    "jwt": ("tokens.py",),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "kubelite" or node.module.startswith("kubelite."):
                yield from (f"{node.module}.{name.name}" for name in node.names)


def modules(part: str) -> list[Path]:
    found = ROOT / part
    return sorted(found.rglob("*.py")) if found.is_dir() else [found.with_suffix(".py")]


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    wrong = []
    for path in modules(part):
        for module in imports(path):
            _, _, inside = module.partition("kubelite.")
            if not module.startswith("kubelite.") or inside.split(".")[0] == part:
                continue
            other = inside.split(".")[0]
            is_part = (ROOT / other).is_dir() or (ROOT / f"{other}.py").exists()
            narrow = other == "node" and part in NARROW
            if narrow and any(module.startswith(name) or name.startswith(module) for name in NARROW[part]):
                continue
            if is_part and (other not in ALLOWED[part] or narrow):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_its_place_only(library: str) -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        if any(module == library or module.startswith(f"{library}.") for module in imports(path))
        and not str(path.relative_to(ROOT)).startswith(LIBRARIES[library])
    ]
    assert wrong == []
