"""The channel protocols of exec, attach and port-forward over WebSocket, without I/O.

Every message starts with its channel's number, as a byte, or as a digit before base64 text. The names and their
differences are upstream's (`k8s.io/apimachinery/pkg/util/remotecommand`): up to v3 a failure is plain text on the
error channel, v4 sends a JSON Status, v5 adds message 255, which closes the channel named by the next byte.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

CLOSE_SIGNAL = 255


class Channel(IntEnum):
    """Channels of exec and attach."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4


class ChannelError(Exception):
    """The client sent a message that the protocol has no meaning for."""


@dataclass(frozen=True, slots=True)
class ChannelData:
    channel: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    channel: int


@dataclass(frozen=True, slots=True)
class ChannelProtocol:
    """One subprotocol: how a message is packed and what the error channel carries."""

    name: str
    binary: bool = True
    json_status: bool = False
    closes_channels: bool = False

    def encode(self, channel: int, data: bytes) -> bytes:
        if self.binary:
            return bytes((channel,)) + data
        return b"%d" % channel + base64.b64encode(data)

    def decode(self, message: bytes) -> ChannelData | ChannelClosed | None:
        """What a message says; None for an empty one, which upstream ignores too."""
        if not message:
            return None
        if self.closes_channels and message[0] == CLOSE_SIGNAL:
            if len(message) != 2:
                raise ChannelError("a close message must name one channel")
            return ChannelClosed(message[1])
        if self.binary:
            return ChannelData(message[0], message[1:])
        return ChannelData(message[0] - ord("0"), _decode_base64(message[1:]))


def _decode_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ChannelError(f"not base64: {error}") from error


V5 = ChannelProtocol("v5.channel.k8s.io", json_status=True, closes_channels=True)
V4 = ChannelProtocol("v4.channel.k8s.io", json_status=True)
V4_BASE64 = ChannelProtocol("v4.base64.channel.k8s.io", binary=False, json_status=True)
V1 = ChannelProtocol("channel.k8s.io")
V1_BASE64 = ChannelProtocol("base64.channel.k8s.io", binary=False)
UNNAMED = ChannelProtocol("")

REMOTE_COMMAND: Sequence[ChannelProtocol] = (V5, V4, V4_BASE64, V1, V1_BASE64)
PORT_FORWARD: Sequence[ChannelProtocol] = (V4, V4_BASE64)
