"""What the images are made from: their folders, kubelite's own code, its requirements, and the hash of each.

The hash is a label of the image built; `images` compares the two to know what is out of date. `up` asks on every
start, so hashing reads only the few hundred kilobytes in question and imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import kubelite
from kubelite.engine import EngineError

PACKAGE = Path(kubelite.__file__).parent
ROOT = PACKAGE.parent


def images_directory() -> Path:
    """`images/` of the repository, or its copy inside an installed package."""
    for directory in (ROOT / "images", PACKAGE / "images"):
        if (directory / "pause" / "Dockerfile").is_file():
            return directory
    raise EngineError(
        "the sources of kubelite's images are not part of this installation",
        "load the images from a file (kubelite images load FILE) or install from a clone: pip install -e .",
    )


def folder_hash(name: str) -> str:
    """Hash of `images/<name>`."""
    directory = images_directory() / name
    return _digest((str(path.relative_to(directory)), path.read_bytes()) for path in _files(directory))


def code_hash() -> str:
    """Hash of everything that ends in kubelite's own image."""
    code = ((str(path.relative_to(ROOT)), path.read_bytes()) for path in _files(PACKAGE))
    return _digest([*code, ("python", python_hash().encode()), ("kubelite", folder_hash("kubelite").encode())])


def python_hash() -> str:
    """Hash of what kubelite's own image stands on: the interpreter's image and the requirements."""
    return _digest([("python", folder_hash("python").encode()), ("requirements", "\n".join(requirements()).encode())])


def requirements() -> list[str]:
    """kubelite's run-time requirements, from the repository or the installed package."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return sorted(tomllib.loads(project.read_text())["project"]["dependencies"])
    from importlib.metadata import requires

    return sorted(line for line in requires("kubelite") or () if "extra ==" not in line)


def _files(directory: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(directory):
        folders[:] = sorted(folder for folder in folders if folder != "__pycache__")
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]


def folder_context(name: str) -> io.BytesIO:
    """Build context with the files of `images/<name>`."""
    return _context([(images_directory() / name, ".")])


def code_context() -> io.BytesIO:
    """Build context of kubelite's own image: a clone in small, so that code finds its surroundings as in one."""
    parts = [(images_directory() / "kubelite", "."), (PACKAGE, "kubelite"), (images_directory(), "images")]
    project = ROOT / "pyproject.toml"
    return _context([*parts, (project, "pyproject.toml")] if project.is_file() else parts)


def python_context(site_packages: Path) -> io.BytesIO:
    """Build context of the interpreter's image with the packages it gets."""
    return _context([(images_directory() / "python", "."), (site_packages, "site-packages")])


def _context(parts: Iterable[tuple[Path, str]]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for source, target in parts:
            files = [source] if source.is_file() else list(_files(source))
            for path in files:
                name = target if source.is_file() else os.path.normpath(os.path.join(target, path.relative_to(source)))
                archive.add(path, name, recursive=False, filter=_anonymous)
    buffer.seek(0)
    return buffer


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
