"""Netlink messages, as far as the proxy needs them: requests with their answers, and attributes both ways.

Formats follow the kernel's <linux/netlink.h>. Called by `bridge` and `conntrack`.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_BUFFER = 1 << 18


class Message(NamedTuple):
    type: int
    body: bytes


class Netlink:
    """One socket of a netlink family; `groups` are multicasts to hear."""

    def __init__(self, family: int, groups: int = 0) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.socket.bind((0, groups))
        self._sequence = 0

    def close(self) -> None:
        self.socket.close()

    def request(self, type: int, body: bytes, flags: int = ACK) -> list[Message]:
        """The messages that answer; OSError when the kernel refuses."""
        self._sequence += 1
        self.socket.send(_HEADER.pack(_HEADER.size + len(body), type, REQUEST | flags, self._sequence, 0) + body)
        answer: list[Message] = []
        while True:
            for message in self.receive():
                if message.type == _ERROR:
                    _raise(message.body)
                    return answer
                if message.type == _DONE:
                    return answer
                answer.append(message)

    def receive(self) -> list[Message]:
        """What one datagram holds."""
        return list(messages(self.socket.recv(_BUFFER)))


def messages(data: bytes) -> Iterator[Message]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, type, _, _, _ = _HEADER.unpack_from(data, at)
        yield Message(type, data[at + _HEADER.size : at + length])
        at += _aligned(length)


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise OSError(-code, os.strerror(-code))


def attribute(type: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), type) + value + padding


def nested(type: int, *inner: bytes) -> bytes:
    return attribute(type | _NESTED, b"".join(inner))


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """By type; `offset` skips a fixed header before the first."""
    found = {}
    while offset + _ATTRIBUTE.size <= len(data):
        length, type = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[type & _TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3
