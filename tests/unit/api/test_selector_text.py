"""Selectors as query parameters: what they mean, and upstream's words for those that can't be read."""

from __future__ import annotations

import pytest

from kubelite.api import selector_text
from kubelite.errors import StatusError

LABELS = {"app": "web", "tier": "", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("! db", True),
        ("app=web", True),
        ("app==web,n=5", True),
        ("app != web", False),
        ("db!=x", True),
        ("tier=", True),
        ("tier", True),
        ("app in (db, web)", True),
        ("app notin (db,web)", False),
        ("db notin (x)", True),
        ("tier in ()", True),
        ("tier in (,x)", True),
        ("in in (in)", False),
        ("n>4,n<6", True),
        ("n > 5", False),
    ],
)
def test_what_a_label_selector_chooses(text: str, matches: bool) -> None:
    assert selector_text.parse(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("in in in", "unable to parse requirement: found 'in' expected: '('"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be",
        ),
        ("a/b/c", 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a qualified name must consist of'),
        (
            "a=-b",
            'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be an empty string',
        ),
    ],
)
def test_label_selectors_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        selector_text.parse(text)
    assert refused.value.code == 400
    assert refused.value.message.startswith(message)


def test_field_selectors_may_hold_escaped_commas() -> None:
    fields = selector_text.parse_fields(r"metadata.name=a,reason!=x\,y\=z\\")
    assert fields.terms == (("metadata.name", True, "a"), ("reason", False, "x,y=z\\"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("x=1,b", "invalid selector: 'x=1,b'; can't understand 'b'"),
    ],
)
def test_field_selectors_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(StatusError, match=message):
        selector_text.parse_fields(text)
