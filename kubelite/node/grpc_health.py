"""The gRPC health check, as far as a probe needs it. Called by `handlers`.

One unary call of grpc.health.v1.Health/Check over a plain HTTP/2 connection (RFC 9113): header fields go out as
literals, of the answer only the message is read and, where there is none, the code in `grpc-status`; so neither
HPACK's tables nor its Huffman code are needed.
"""

from __future__ import annotations

import asyncio
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
PATH = "/grpc.health.v1.Health/Check"
SERVING = 1
STATES = {0: "UNKNOWN", SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


NOT_FOUND, UNIMPLEMENTED, UNAVAILABLE = 5, 12, 14
# The field's name as it is and in HPACK's Huffman code; its value is too short to be worth that.
_STATUS_NAMES = (b"\x0bgrpc-status", bytes.fromhex("889acac8b21234da8f"))


class RpcFailed(Exception):
    """The server answered, but not with a health status: `code` is gRPC's."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def check_health(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str) -> int:
    """The service's status (see STATES) over a fresh connection, which is closed then."""
    try:
        writer.write(PREFACE + _frame(SETTINGS, 0, 0, b"") + _call(authority, service))
        return await _answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise RpcFailed(UNAVAILABLE) from error
    finally:
        writer.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _call(authority: str, service: str) -> bytes:
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    name = service.encode()[:127]
    message = b"\x0a" + bytes([len(name)]) + name if name else b""
    body = b"\0" + struct.pack(">I", len(message)) + message
    block = b"".join(_literal(*field) for field in fields)
    return _frame(HEADERS, END_HEADERS, 1, block) + _frame(DATA, END_STREAM, 1, body)


def _literal(name: str, value: str) -> bytes:
    """A header field that the server is not to index; every length here fits seven bits."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    body = b""
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = await reader.readexactly(length)
        if kind in (SETTINGS, PING) and not flags & ACK:
            writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == DATA:
            body += payload
        elif kind in (RST_STREAM, GOAWAY):
            raise RpcFailed(UNAVAILABLE)
        if len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
            return _status(body[5:])
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            raise RpcFailed(_code(payload))


def _code(fields: bytes) -> int:
    """The value of `grpc-status`; that the method isn't there when it can't be read."""
    for name in _STATUS_NAMES:
        _, found, rest = fields.partition(name)
        value = rest[1 : 1 + rest[0]] if found and rest else b""
        if value.isdigit():
            return int(value)
    return UNIMPLEMENTED


def _status(message: bytes) -> int:
    """Field 1 of HealthCheckResponse; the enum's zero isn't written."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
