"""The SPDY codec against frames of real clients, of a client written from the draft, and broken ones."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelite.streams.spdy import (
    Codec,
    DataReceived,
    Event,
    GoneAway,
    LocalProtocolError,
    PingReceived,
    RemoteProtocolError,
    ResetStatus,
    StreamOpened,
    StreamReset,
)
from kubelite.streams.spdy_dictionary import DICTIONARY

# kubectl 1.20: `echo hello stdin | kubectl exec -i … -- cat`, from after the upgrade to the end
KUBECTL_EXEC = bytes.fromhex(
    "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff"
    "800300010000001700000003000000000000c22e555c92929907000000ffff"
    "800300010000001900000005000000000000c22ac5565c92925f5a02000000ffff"
    "800300010000001500000007000000000000c229975a5404000000ffff"
    "000000030000000c68656c6c6f20737464696e0a0000000301000000"
    "80030003000000080000000100000005800300030000000800000003000000058003000300000008000000050000000580030003"
    "000000080000000700000005"
)
KUBECTL_EXEC_EVENTS: list[Event] = [
    StreamOpened(1, {"streamtype": "error"}),
    StreamOpened(3, {"streamtype": "stdin"}),
    StreamOpened(5, {"streamtype": "stdout"}),
    StreamOpened(7, {"streamtype": "stderr"}),
    DataReceived(3, b"hello stdin\n"),
    DataReceived(3, b"", fin=True),
    StreamReset(1, 5),
    StreamReset(3, 5),
    StreamReset(5, 5),
    StreamReset(7, 5),
]


def opened(peer: Any, *stream_ids: int) -> Codec:
    codec = Codec()
    for stream_id in stream_ids:
        codec.feed(peer.syn_stream(stream_id, {}))
    return codec


def test_dictionary_is_the_drafts() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_real_exec_is_understood() -> None:
    assert Codec().feed(KUBECTL_EXEC) == KUBECTL_EXEC_EVENTS


@given(st.lists(st.integers(0, len(KUBECTL_EXEC)), max_size=20))
def test_events_are_the_same_however_the_bytes_are_split(cuts: list[int]) -> None:
    codec = Codec()
    edges = sorted({0, len(KUBECTL_EXEC), *cuts})
    events = [event for start, end in pairwise(edges) for event in codec.feed(KUBECTL_EXEC[start:end])]
    assert events == KUBECTL_EXEC_EVENTS


def test_bytes_one_by_one() -> None:
    codec = Codec()
    events = [event for byte in KUBECTL_EXEC for event in codec.feed(bytes((byte,)))]
    assert events == KUBECTL_EXEC_EVENTS


def test_answers_of_the_real_server_have_the_recorded_sizes(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1, 3)
    first, second = codec.reply(1), codec.reply(3)
    assert (len(first) - 8, len(second) - 8) == (20, 12)
    assert spdy_peer.frames(first + second) == [("reply", 1), ("reply", 3)]


@given(st.binary(max_size=200_000), st.booleans())
def test_data_arrives_as_it_was_sent(payload: bytes, fin: bool) -> None:
    from_peer = SpdyReader()
    codec = Codec()
    codec.feed(SYN_STREAM_1)
    frames = from_peer.read(codec.data(1, payload, fin))
    assert b"".join(data for data, _ in frames) == payload
    assert [ended for _, ended in frames] == [False] * (len(frames) - 1) + [fin]


SYN_STREAM_1 = KUBECTL_EXEC[:49]


class SpdyReader:
    @staticmethod
    def read(sent: bytes) -> list[tuple[bytes, bool]]:
        frames = []
        while sent:
            _, tail = struct.unpack_from(">II", sent)
            frames.append((sent[8 : 8 + (tail & 0xFFFFFF)], bool(tail >> 24)))
            sent = sent[8 + (tail & 0xFFFFFF) :]
        return frames


def test_half_closes_are_independent(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1)
    codec.feed(spdy_peer.data(1, b"bye", fin=True))
    assert spdy_peer.frames(codec.data(1, b"still here")) == [("data", 1, b"still here", False)]
    codec.data(1, b"", fin=True)
    with pytest.raises(LocalProtocolError):
        codec.data(1, b"too late")


def test_data_after_a_local_close_still_arrives(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1)
    codec.data(1, b"", fin=True)
    assert codec.feed(spdy_peer.data(1, b"more")) == [DataReceived(1, b"more")]


def test_data_for_a_stream_reset_here_is_dropped(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1)
    assert spdy_peer.frames(codec.reset(1, ResetStatus.REFUSED_STREAM)) == [("reset", 1, 3)]
    assert codec.feed(spdy_peer.data(1, b"was on its way")) == []


def test_stream_opened_with_fin_sends_no_data(spdy_peer: Any) -> None:
    assert Codec().feed(spdy_peer.syn_stream(1, {"a": "b"}, fin=True)) == [StreamOpened(1, {"a": "b"}, fin=True)]


def test_ping_is_answered_and_answers_are_ignored(spdy_peer: Any) -> None:
    codec = Codec()
    assert codec.feed(spdy_peer.control(6, struct.pack(">I", 7))) == [PingReceived(7)]
    assert spdy_peer.frames(codec.ping(7)) == [("ping", 7)]
    assert codec.feed(spdy_peer.control(6, struct.pack(">I", 8))) == []


def test_go_away_names_the_last_stream(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1, 5)
    assert spdy_peer.frames(codec.go_away()) == [("goaway", 5, 0)]
    assert codec.feed(spdy_peer.control(7, struct.pack(">II", 0, 0))) == [GoneAway(0, 0)]


@pytest.mark.parametrize(("kind", "payload"), [(4, bytes(4)), (9, struct.pack(">II", 1, 4096)), (77, b"?")])
def test_settings_window_updates_and_unknown_frames_are_accepted(kind: int, payload: bytes, spdy_peer: Any) -> None:
    assert opened(spdy_peer, 1).feed(spdy_peer.control(kind, payload)) == []


def test_headers_frame_keeps_the_compression_context(spdy_peer: Any) -> None:
    codec = opened(spdy_peer, 1)
    frame = spdy_peer.control(8, struct.pack(">I", 1) + spdy_peer.headers({"late": "header"}), 1)
    assert codec.feed(frame) == [DataReceived(1, b"", fin=True)]
    assert codec.feed(spdy_peer.syn_stream(3, {"late": "header"})) == [StreamOpened(3, {"late": "header"})]


def broken_frames() -> dict[str, bytes]:
    control = struct.Struct(">HHI")
    return {
        "wrong version": control.pack(0x8002, 6, 4) + bytes(4),
        "data without a stream": struct.pack(">II", 9, 1) + b"x",
        "short reset": control.pack(0x8003, 3, 4) + bytes(4),
        "garbage headers": control.pack(0x8003, 1, 18) + struct.pack(">IIBB", 1, 0, 0, 0) + b"no zlib!",
        "even stream": SYN_STREAM_1[:8] + struct.pack(">I", 2) + SYN_STREAM_1[12:],
        "same stream twice": SYN_STREAM_1 + SYN_STREAM_1[:18] + b"\x00" * (len(SYN_STREAM_1) - 18),
        "reply to nothing": control.pack(0x8003, 2, 4) + bytes(4),
        "endless control frame": control.pack(0x8003, 6, 1 << 20),
    }


@pytest.mark.parametrize("name", broken_frames())
def test_broken_frames_are_the_clients_fault(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Codec().feed(broken_frames()[name])


def test_header_bomb_is_refused(spdy_peer: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="too large"):
        Codec().feed(spdy_peer.syn_stream(1, {"a": "b" * 10_000_000}))


def test_using_a_stream_nobody_opened_is_this_sides_fault() -> None:
    with pytest.raises(LocalProtocolError):
        Codec().reply(1)
