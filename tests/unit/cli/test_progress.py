"""Progress on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from kubelite.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_plain_outside_a_terminal() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress("one")
        progress("two")
    assert stream.getvalue() == "one\ntwo\n"


def test_line_on_a_terminal_is_rewritten_and_wiped_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    stream = Terminal()
    with Progress(stream) as progress:
        progress("one")
        progress("a line too long\nfor it")
    assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ka line to\r\x1b[K"


def test_nothing_is_wiped_where_nothing_was_shown() -> None:
    stream = Terminal()
    with Progress(stream):
        pass
    assert stream.getvalue() == ""
