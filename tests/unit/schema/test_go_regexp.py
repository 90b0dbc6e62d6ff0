"""Patterns as Go reads them."""

from __future__ import annotations

import re

import pytest

from kubelite.schema.go_regexp import python_pattern

MATCHING = [
    ("^(?i)(Disabled|Strict)?$", "sTRICT", True),
    ("^(?i)(abort|warn)?$", "", True),
    ("^((?i)may|june|1[0-2])(?:((:((?i)may|june))?))$", "May:JUNE", True),
    ("^((?i)may)X$", "MAYx", False),  # the flag ends with its group
    ("a(?i)b|c", "aB", True),
    ("^a(?i)b|^c", "C", True),
    ("(?i)a(?-i)b", "Ab", True),
    ("^(?i)a(?-i)b$", "AB", False),
    ("(?i)abc", "ABC", True),
    ("^a$", "a\n", False),
    ("(?m)^a$", "b\na\n", True),
    (r"\Aa\z", "a", True),
    (r"^[[:alpha:]_]+$", "ab_", True),
    (r"^[^[:digit:]]$", "1", False),
    (r"^(?P<x>a)(?<y>b)$", "ab", True),
    (r"^[$|()]\$\($", "|$(", True),
    (r"^\Qa.b\E$", "axb", False),
    ("^(a|b(?i)c|d)e$", "De", True),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHING)
def test_pattern_matches_as_in_go(pattern: str, text: str, expected: bool) -> None:
    assert bool(re.search(python_pattern(pattern), text)) is expected, python_pattern(pattern)


@pytest.mark.parametrize("pattern", ["^(?!a)", "(?<=a)b", r"(a)\1", "(a", "a)", "*"])
def test_pattern_that_go_refuses_is_an_error(pattern: str) -> None:
    with pytest.raises(re.error):
        re.compile(python_pattern(pattern))
