"""The WebSocket channel protocols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelite.streams.channels import (
    REMOTE_COMMAND,
    V4,
    V4_BASE64,
    V5,
    ChannelClosed,
    ChannelData,
    ChannelError,
    ChannelProtocol,
)


@given(st.sampled_from(REMOTE_COMMAND), st.integers(0, 4), st.binary())
def test_data_survives_the_round_trip(protocol: ChannelProtocol, channel: int, data: bytes) -> None:
    assert protocol.decode(protocol.encode(channel, data)) == ChannelData(channel, data)


def test_upstreams_examples() -> None:
    assert V4.decode(bytes([0, 102, 111, 111, 10])) == ChannelData(0, b"foo\n")
    assert V4_BASE64.decode(b"0Zm9vCg==") == ChannelData(0, b"foo\n")
    assert V4_BASE64.encode(1, b"\n") == b"1Cg=="


def test_only_v5_closes_channels() -> None:
    assert V5.decode(b"\xff\x00") == ChannelClosed(0)
    assert V4.decode(b"\xff\x00") == ChannelData(255, b"\0")


@pytest.mark.parametrize("message", [b"\xff", b"\xff\x00\x01"])
def test_close_that_names_no_channel_is_refused(message: bytes) -> None:
    with pytest.raises(ChannelError):
        V5.decode(message)


def test_text_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ChannelError):
        V4_BASE64.decode(b"0***")


def test_empty_message_says_nothing() -> None:
    assert V5.decode(b"") is None
