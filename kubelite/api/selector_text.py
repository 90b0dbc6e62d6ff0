"""The query-string form of label and field selectors: lexer, parser and upstream's words for what they refuse.

Grammar after apimachinery's `pkg/labels` and `pkg/fields`. Called by `selection`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kubelite.errors import bad_request, invalid_value
from kubelite.objects.selectors import FieldSelector, Requirement, Selector
from kubelite.registry import validation

_TOKEN = re.compile(r"\s*(?:(?P<symbol>==|!=|[=!(),><])|(?P<word>[^=!(),><\s]+))")
_OPERATORS = {"in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
_EXPECTED = "in, notin, =, ==, !=, gt, lt"


class _Token(NamedTuple):
    text: str
    is_word: bool


_END = _Token("", is_word=False)


class _Malformed(Exception):
    """The text is what upstream's parser says."""


def parse(text: str) -> Selector:
    """A `labelSelector`; raises upstream's 400 for what can't be read."""
    try:
        return Selector(tuple(_Parser(text).terms()))
    except _Malformed as fault:
        raise bad_request(str(fault)) from None


class _Parser:
    def __init__(self, text: str) -> None:
        found = (_Token(match["symbol"] or match["word"], bool(match["word"])) for match in _TOKEN.finditer(text))
        self._tokens = [*found, _END]
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        if token is not _END:
            self._at += 1
        return token

    def terms(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._next is not _END:
            if not self._next.is_word and self._next.text != "!":
                raise _Malformed(f"found '{self._next.text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._term())
            except _Malformed as fault:
                raise _Malformed(f"unable to parse requirement: {fault}") from None
            self._comma()
        return found

    def _comma(self) -> None:
        token = self._take()
        if token is _END:
            return
        if token.text != ",":
            raise _Malformed(f"found '{token.text}', expected: ',' or 'end of string'")
        if not self._next.is_word and self._next.text != "!":
            raise _Malformed(f"found '{self._next.text}', expected: identifier after ','")

    def _term(self) -> Requirement:
        absent = self._next.text == "!"
        if absent:
            self._take()
        key = self._take()
        if not key.is_word:
            raise _Malformed(f"found '{key.text}', expected: identifier")
        _check("<nil>", key.text, validation.qualified_name(key.text))
        if absent:
            return Requirement(key.text, "!")
        if self._next is _END or self._next.text == ",":
            return Requirement(key.text, "exists")
        operator = self._take().text
        if operator not in _OPERATORS:
            raise _Malformed(f"found '{operator}', expected: {_EXPECTED}")
        values = self._listed() if operator in ("in", "notin") else [self._exact()]
        return _checked(Requirement(key.text, _OPERATORS[operator], frozenset(values)))

    def _exact(self) -> str:
        if self._next is _END or self._next.text == ",":
            return ""
        token = self._take()
        if not token.is_word:
            raise _Malformed(f"found '{token.text}', expected: identifier")
        return token.text

    def _listed(self) -> list[str]:
        """Between parentheses; what stands between two commas may be nothing."""
        token = self._take()
        if token.text != "(":
            raise _Malformed(f"found '{token.text}' expected: '('")
        if not self._next.is_word and self._next.text not in (",", ")"):
            raise _Malformed(f"found '{self._next.text}', expected: ',', ')' or identifier")
        values = [self._element()]
        while (token := self._take()).text == ",":
            values.append(self._element())
        if token.text != ")":
            raise _Malformed(f"found '{token.text}', expected: ',' or ')'")
        return values

    def _element(self) -> str:
        if self._next.is_word:
            return self._take().text
        if self._next.text not in (",", ")"):
            raise _Malformed(f"found '{self._next.text}', expected: ',', or identifier")
        return ""


def _checked(term: Requirement) -> Requirement:
    for index, value in enumerate(sorted(term.values)):
        if term.operator in ("gt", "lt") and not re.fullmatch(r"[-+]?\d+", value):
            _check(f"values[{index}]", value, ["for 'Gt', 'Lt' operators, the value must be an integer"])
        _check(f"values[{index}][{term.key}]", value, validation.label_value(value))
    return term


def _check(path: str, value: str, faults: list[str]) -> None:
    if faults:
        raise _Malformed(str(invalid_value(path, value, "; ".join(faults))))


def parse_fields(text: str) -> FieldSelector:
    """A `fieldSelector`; raises 400 when it can't be read. Commas, equal signs and backslashes may be escaped."""
    terms = []
    for part in re.findall(r"(?:\\.|[^,\\])+", text):
        found = re.fullmatch(r"((?:\\.|[^=!\\])*?)(==|=|!=)((?:\\.|[^\\])*)", part, re.DOTALL)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append((found[1].strip(), found[2] != "!=", _unescaped(found[3].strip())))
    return FieldSelector(tuple(terms))


def _unescaped(value: str) -> str:
    for escape in re.finditer(r"\\(.)", value):
        if escape[1] not in ",=\\":
            raise bad_request(f"invalid field selector: invalid escape sequence: \\{escape[1]}")
    if bare := re.search(r"[,=]", re.sub(r"\\.", "", value)):
        raise bad_request(f"invalid field selector: unescaped character: {bare[0]}")
    return re.sub(r"\\(.)", r"\1", value)
