"""JSON text with the escapes of Go's encoder, for those who compare bytes: hashes and kubectl's `rollout undo`."""

from __future__ import annotations

_ESCAPES = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def escaped(text: bytes) -> bytes:
    """`text` with what HTML or JavaScript could misread escaped; in JSON that only stands in strings."""
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text
