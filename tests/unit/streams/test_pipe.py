"""The bounded pipe between two tasks."""

from __future__ import annotations

import asyncio

import pytest

from kubelite.streams import pipe as pipe_module
from kubelite.streams.pipe import Pipe


async def nothing() -> None:
    pass


async def test_reader_gets_everything_then_the_end() -> None:
    pipe = Pipe()
    pipe.write(b"one ")
    pipe.write(b"two")
    pipe.end()
    assert [await pipe.read(), await pipe.read(), await pipe.read()] == [b"one two", b"", b""]


async def test_full_pipe_has_room_again_after_a_read() -> None:
    pipe = Pipe(limit=4)
    pipe.write(b"1234")
    waiting = asyncio.create_task(pipe.room(nothing))
    await asyncio.sleep(0)
    assert not waiting.done()
    await pipe.read()
    await waiting


async def test_who_waits_for_room_notices_that_the_client_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone() -> None:
        raise ConnectionResetError

    monkeypatch.setattr(pipe_module, "PATIENCE", 0.01)
    pipe = Pipe(limit=1)
    pipe.write(b"1")
    with pytest.raises(ConnectionResetError):
        await pipe.room(gone)


async def test_discarded_pipe_swallows_and_holds_up_nobody() -> None:
    pipe = Pipe(limit=4)
    pipe.write(b"12345")
    pipe.discard()
    pipe.write(b"more")
    await pipe.room(nothing)
    assert await pipe.read() == b""


async def test_reader_waits_for_data() -> None:
    pipe = Pipe()
    reading = asyncio.create_task(pipe.read())
    await asyncio.sleep(0)
    pipe.write(b"late")
    assert await reading == b"late"
