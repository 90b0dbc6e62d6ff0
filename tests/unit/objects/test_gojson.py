"""Go's escapes in JSON text."""

import msgspec

from kubelite.objects.gojson import escaped


def test_markup_is_escaped_as_go_does() -> None:
    assert escaped(b'{"a":"<&>","b":"\\n"}') == rb'{"a":"\u003c\u0026\u003e","b":"\n"}'


def test_escapes_mean_the_same() -> None:
    value = {"<&>": ["\u2028", "\u2029", "é", '"', 1]}
    assert msgspec.json.decode(escaped(msgspec.json.encode(value))) == value
