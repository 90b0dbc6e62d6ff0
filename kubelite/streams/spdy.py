"""SPDY/3.1 for a server, without I/O: bytes in, events out; methods return the bytes to send.

`kubelite.streams.spdy_connection` drives it over a raw connection or inside WebSocket messages. It follows the SPDY
Protocol Draft 3.1 as far as Kubernetes' clients use it: they open every stream, and neither they nor their library
keep flow-control windows, so WINDOW_UPDATE is accepted and none is sent; back-pressure is TCP's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from kubelite.streams.spdy_dictionary import DICTIONARY

_VERSION = 3
_FIN = 0x01
_ID_MASK = 0x7FFFFFFF
_MAX_CONTROL_FRAME = 64 * 1024
_MAX_HEADERS = 256 * 1024
_MAX_DATA_FRAME = 64 * 1024


class Frame(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class ResetStatus(IntEnum):
    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5


class GoAwayStatus(IntEnum):
    OK = 0
    PROTOCOL_ERROR = 1


class ProtocolError(Exception):
    """The connection can't go on."""


class RemoteProtocolError(ProtocolError):
    """The client broke the protocol: say GOAWAY and close."""


class LocalProtocolError(ProtocolError):
    """This side was about to break it: a bug of the caller."""


@dataclass(frozen=True, slots=True)
class StreamOpened:
    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class DataReceived:
    stream_id: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class StreamReset:
    stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class PingReceived:
    ping_id: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    last_stream_id: int
    status: int


Event = StreamOpened | DataReceived | StreamReset | PingReceived | GoneAway


@dataclass(slots=True)
class _Directions:
    """Which halves of a stream are still open."""

    remote: bool = True
    local: bool = True


@dataclass(slots=True)
class Codec:
    """One connection's state: half-open streams, both header compressors, the bytes of an unfinished frame."""

    _buffer: bytearray = field(default_factory=bytearray)
    _streams: dict[int, _Directions] = field(default_factory=dict)
    _last_stream_id: int = 0
    _inflate: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(zdict=DICTIONARY))
    _deflate: zlib._Compress = field(default_factory=lambda: zlib.compressobj(9, zdict=DICTIONARY))

    def feed(self, data: bytes) -> list[Event]:
        """Take what arrived, in pieces of any size."""
        self._buffer += data
        events: list[Event] = []
        for head, flags, payload in self._frames():
            if head & 0x80000000:
                events.extend(self._control(head, flags, payload))
            else:
                events.extend(self._data_received(head, payload, bool(flags & _FIN)))
        return events

    def reply(self, stream_id: int) -> bytes:
        """Accept a stream that the client opened."""
        self._require_local(stream_id)
        return _control_frame(Frame.SYN_REPLY, struct.pack(">I", stream_id) + self._pack_headers({}))

    def data(self, stream_id: int, payload: bytes, fin: bool = False) -> bytes:
        """One or more DATA frames; `fin` half-closes this side's direction."""
        self._require_local(stream_id)
        view = memoryview(payload)
        pieces = [view[at : at + _MAX_DATA_FRAME] for at in range(0, len(view), _MAX_DATA_FRAME)] or [view]
        frames: list[bytes | memoryview] = []
        for piece in pieces:
            flags = _FIN if fin and piece is pieces[-1] else 0
            frames += (struct.pack(">II", stream_id, flags << 24 | len(piece)), piece)
        if fin:
            self._close(stream_id, local=True)
        return b"".join(frames)

    def reset(self, stream_id: int, status: ResetStatus = ResetStatus.CANCEL) -> bytes:
        """End both directions of a stream at once."""
        self._streams.pop(stream_id, None)
        return _control_frame(Frame.RST_STREAM, struct.pack(">II", stream_id, status))

    def ping(self, ping_id: int) -> bytes:
        """A ping, or the answer to one: the same frame."""
        return _control_frame(Frame.PING, struct.pack(">I", ping_id))

    def go_away(self, status: GoAwayStatus = GoAwayStatus.OK) -> bytes:
        """The last frame: no further stream is accepted."""
        return _control_frame(Frame.GOAWAY, struct.pack(">II", self._last_stream_id, status))

    def _frames(self) -> Iterator[tuple[int, int, bytes]]:
        """The complete frames of the buffer, as first word, flags and payload."""
        at = 0
        try:
            while len(self._buffer) - at >= 8:
                head, tail = struct.unpack_from(">II", self._buffer, at)
                size = tail & 0xFFFFFF
                if head & 0x80000000 and size > _MAX_CONTROL_FRAME:
                    raise RemoteProtocolError(f"control frame of {size} bytes")
                if len(self._buffer) - at - 8 < size:
                    break
                payload = bytes(memoryview(self._buffer)[at + 8 : at + 8 + size])
                at += 8 + size
                yield head, tail >> 24, payload
        finally:
            del self._buffer[:at]

    def _control(self, head: int, flags: int, payload: bytes) -> list[Event]:
        version, kind = head >> 16 & 0x7FFF, head & 0xFFFF
        if version != _VERSION:
            raise RemoteProtocolError(f"SPDY version {version}")
        reader = _READERS.get(kind)
        try:
            return reader(self, payload, bool(flags & _FIN)) if reader else []
        except struct.error as error:
            raise RemoteProtocolError(f"short {Frame(kind).name} frame") from error

    def _stream_opened(self, payload: bytes, fin: bool) -> list[Event]:
        stream_id, _associated, _priority, _slot = struct.unpack_from(">IIBB", payload)
        stream_id &= _ID_MASK
        headers = self._unpack_headers(payload[10:])
        if stream_id % 2 == 0 or stream_id <= self._last_stream_id:
            raise RemoteProtocolError(f"stream {stream_id} opened after {self._last_stream_id}")
        self._last_stream_id = stream_id
        self._streams[stream_id] = _Directions(remote=not fin)
        return [StreamOpened(stream_id, headers, fin)]

    def _headers_received(self, payload: bytes, fin: bool) -> list[Event]:
        (stream_id,) = struct.unpack_from(">I", payload)
        self._unpack_headers(payload[4:])  # nothing uses them, but the compression context goes on
        return self._data_received(stream_id & _ID_MASK, b"", fin) if fin else []

    def _data_received(self, stream_id: int, data: bytes, fin: bool) -> list[Event]:
        if stream_id > self._last_stream_id or stream_id % 2 == 0:
            raise RemoteProtocolError(f"data for stream {stream_id}, which was never opened")
        directions = self._streams.get(stream_id)
        if directions is None or not directions.remote:
            return []  # was on its way when this side reset the stream
        if fin:
            self._close(stream_id, remote=True)
        return [DataReceived(stream_id, data, fin)] if data or fin else []

    def _stream_reset(self, payload: bytes, _fin: bool) -> list[Event]:
        stream_id, status = struct.unpack_from(">II", payload)
        return [StreamReset(stream_id, status)] if self._streams.pop(stream_id, None) else []

    def _ping_received(self, payload: bytes, _fin: bool) -> list[Event]:
        (ping_id,) = struct.unpack_from(">I", payload)
        return [PingReceived(ping_id)] if ping_id % 2 else []  # even ones answer a server's own

    def _gone_away(self, payload: bytes, _fin: bool) -> list[Event]:
        last_stream_id, status = struct.unpack_from(">II", payload)
        return [GoneAway(last_stream_id, status)]

    def _unexpected_reply(self, _payload: bytes, _fin: bool) -> list[Event]:
        raise RemoteProtocolError("SYN_REPLY, though a server opens no streams here")

    def _require_local(self, stream_id: int) -> None:
        if stream_id not in self._streams or not self._streams[stream_id].local:
            raise LocalProtocolError(f"stream {stream_id} is closed on this side")

    def _close(self, stream_id: int, *, remote: bool = False, local: bool = False) -> None:
        directions = self._streams[stream_id]
        directions.remote &= not remote
        directions.local &= not local
        if not directions.remote and not directions.local:
            del self._streams[stream_id]

    def _pack_headers(self, headers: Mapping[str, str]) -> bytes:
        words = [struct.pack(">I", len(headers))]
        for word in (word.encode() for pair in headers.items() for word in pair):
            words += (struct.pack(">I", len(word)), word)
        return self._deflate.compress(b"".join(words)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _unpack_headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, _MAX_HEADERS)
        except zlib.error as error:
            raise RemoteProtocolError(f"header block: {error}") from error
        if self._inflate.unconsumed_tail:
            raise RemoteProtocolError("header block too large")
        return _parse_headers(plain)


_READERS: dict[int, Callable[[Codec, bytes, bool], list[Event]]] = {
    Frame.SYN_STREAM: Codec._stream_opened,
    Frame.SYN_REPLY: Codec._unexpected_reply,
    Frame.RST_STREAM: Codec._stream_reset,
    Frame.PING: Codec._ping_received,
    Frame.GOAWAY: Codec._gone_away,
    Frame.HEADERS: Codec._headers_received,
}


def _control_frame(kind: Frame, payload: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | _VERSION, kind, len(payload)) + payload


def _parse_headers(plain: bytes) -> dict[str, str]:
    """Names (lower case on the wire, but not from every client) and values of a decompressed header block."""
    try:
        (count,) = struct.unpack_from(">I", plain)
        words, at = [], 4
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", plain, at)
            words.append(plain[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"header block: {error}") from error
    if at > len(plain):
        raise RemoteProtocolError("header block ends early")
    return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}
