"""Links of what is seen through the `proxy` subresource, so that they lead through it again; pure.

Follows upstream's `apimachinery/pkg/util/proxy/transport.go`: absolute paths, and URLs of the target itself, get the
subresource's path in front; links elsewhere and relative ones stay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import urlsplit

_LINKS: Mapping[str, tuple[str, ...]] = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
_ATTRIBUTES = r"""\s(?:[^"'>]|"[^"]*"|'[^']*')*+"""
_PIECE = re.compile(
    r"<!--.*?-->"
    rf"|<(?P<code>script|style)(?P<of_code>(?:{_ATTRIBUTES})?)>(?P<body>.*?)(?=</(?P=code))"
    rf"|<(?P<name>[a-z][a-z0-9]*)(?P<attributes>{_ATTRIBUTES})>",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"""(?P<before>\s(?P<name>[a-z]+)\s*=\s*)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>]+))""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Way:
    """How the client reaches the target: the host that it named, the target's own authority, the path in front."""

    host: str
    target: str
    prefix: str


def rewritten_url(link: str, way: Way) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:
        return link
    if parts.netloc not in ("", way.target, way.host) or not parts.path.startswith("/"):
        return link
    if parts.netloc != way.host:
        parts = parts._replace(scheme="", netloc="")
    if not parts.path.startswith(way.prefix):
        parts = parts._replace(path=way.prefix + parts.path)
    return parts.geturl()


def rewritten_html(page: bytes, way: Way) -> bytes:
    """The page with its links rewritten and else byte for byte what it was; comments stay."""
    # Latin-1 gives every byte a character and back; markup is ASCII in all encodings that pages have.
    text = page.decode("latin-1")
    return _PIECE.sub(lambda piece: _rewritten_tag(piece, way), text).encode("latin-1", "xmlcharrefreplace")


def _rewritten_tag(piece: re.Match[str], way: Way) -> str:
    name = piece["code"] or piece["name"] or ""
    linking = _LINKS.get(name.lower(), ())
    if not linking:
        return piece[0]
    given = piece["of_code"] or piece["attributes"] or ""
    attributes = _ATTRIBUTE.sub(lambda one: _rewritten_attribute(one, linking, way), given)
    return f"<{name}{attributes}>{piece['body'] or ''}"


def _rewritten_attribute(one: re.Match[str], linking: Collection[str], way: Way) -> str:
    if one["name"].lower() not in linking:
        return one[0]
    link = unescape(next(value for value in one.group("double", "single", "bare") if value is not None))
    changed = rewritten_url(link, way)
    return one[0] if changed == link else f'{one["before"]}"{escape(changed)}"'
