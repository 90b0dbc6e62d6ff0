"""Regular expressions of Go (RE2) to those of Python. PURE; called where a CustomResourceDefinition has a `pattern`.

Follows Go's `regexp/syntax`: flags in the middle of an expression, `$` as the very end, POSIX classes; what Python
has beyond it (looking around, references back) is an error, as it is upstream.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKENS = re.compile(
    r"(?P<escape>\\Q.*?(?:\\E|$)|\\.)"
    r"|(?P<set>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])"
    r"|(?P<flags>\(\?[a-zA-Z]*(?:-[a-zA-Z]+)?\))"
    r"|(?P<around>\(\?<?[=!])"
    r"|(?P<name>\(\?<)"
    r"|(?P<open>\()|(?P<close>\))|(?P<or>\|)|(?P<end>\$)|(?P<other>.)",
    re.DOTALL,
)
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


def python_pattern(pattern: str) -> str:
    """The same expression for Python's `re`; `re.error` where Go refuses it."""
    return "".join(_translated(pattern))


def _translated(pattern: str) -> Iterator[str]:
    flags: list[str] = [""]  # of every open group: those set on the way, which end with the group
    for token in _TOKENS.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if kind == "flags":
            yield ")" if flags[-1] else ""
            flags[-1] = f"(?{_merged(flags[-1], text)}:"
            yield flags[-1]
        elif kind == "or":
            yield f")|{flags[-1]}" if flags[-1] else "|"
        elif kind == "open":
            flags.append("")
            yield text
        elif kind == "close":
            yield ")" if flags[-1] else ""
            flags = flags[:-1] or [""]
            yield text
        elif kind == "end":
            yield text if "m" in "".join(flags) else r"\Z"
        else:
            yield _token(kind or "", text, flags)
    yield ")" if flags[0] else ""


def _merged(before: str, text: str) -> str:
    """Flags that are set or cleared after others of the same group."""
    on = set(before.strip("(?:").partition("-")[0])
    added, _, removed = text[2:-1].partition("-")
    return "".join(sorted((on | set(added)) - set(removed))) + (f"-{removed}" if removed else "")


def _token(kind: str, text: str, flags: list[str]) -> str:
    if kind == "around":
        raise re.error(f"error parsing regexp: invalid or unsupported Perl syntax: `{text}`")
    if kind == "name":
        flags.append("")
        return "(?P<"
    if kind == "set":
        return re.sub(r"\[:(\w+):\]", lambda found: _POSIX.get(found[1], found[0]), text).replace("[^]", r"[^\]")
    if kind == "escape":
        return _escape(text)
    return text


def _escape(text: str) -> str:
    if text.startswith(r"\Q"):
        return re.escape(text[2:].removesuffix(r"\E"))
    if text[1] in "123456789":
        raise re.error(f"error parsing regexp: invalid escape sequence: `{text}`")
    return r"\Z" if text == r"\z" else text
