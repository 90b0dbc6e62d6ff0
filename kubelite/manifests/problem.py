"""What is wrong with a manifest, and where: `web.yaml:12:3: spec.serviceNam: unknown field; did you mean ...?`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`path` is the field's, empty when it is about the document; `hint` the likely correction."""

    place: Place
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        subject = f"{self.path}: " if self.path else ""
        return f"{self.place}: {subject}{self.message}" + (f"; {self.hint}" if self.hint else "")
