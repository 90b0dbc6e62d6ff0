"""String formats that schemas of custom resources may ask for (go-openapi's `strfmt`, as far as apiextensions has it)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?\s?(ns|us|µs|ms|s|m|h|d|w|[a-z]+)\s?)+", re.IGNORECASE)
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:?\d{2})?")
_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*"
)


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether `read` takes the text."""

    def known(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return known


def _fits(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None and _reads(date.fromisoformat)(text[:10])


FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _reads(lambda text: base64.b64decode(text, validate=True)),
    "cidr": lambda text: "/" in text and _reads(lambda given: ip_network(given, strict=False))(text),
    "date": _reads(date.fromisoformat),
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": _fits(r"[^@\s]+@[^@\s]+"),
    "hexcolor": _fits(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": lambda text: _HOST.fullmatch(text) is not None,
    "ipv4": _reads(IPv4Address),
    "ipv6": _reads(IPv6Address),
    "mac": _fits(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"),
    "uri": lambda text: bool(urlsplit(text).scheme or text.startswith("/")),
    "uuid": _fits(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"),
}
