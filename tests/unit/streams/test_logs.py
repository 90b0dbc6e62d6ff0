"""The log answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from kubelite.streams.logs import serve_logs

BASE64 = "base64.binary.k8s.io"


async def lines() -> AsyncGenerator[bytes, None]:
    for number in range(3):
        yield b"line %d\n" % number


@pytest.mark.parametrize(
    ("limit", "text"), [(None, "line 0\nline 1\nline 2\n"), (9, "line 0\nli"), (7, "line 0\n"), (100, None)]
)
async def test_log_is_cut_at_the_limit(serve: Any, limit: int | None, text: str | None) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_logs(request, lines(), limit_bytes=limit)

    answer = await (await serve(handler)).get("/log")
    assert await answer.text() == (text or "line 0\nline 1\nline 2\n")
    assert answer.headers["Content-Type"] == "text/plain"


async def test_client_that_vanishes_ends_the_reading(serve: Any) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_logs(request, endless())

    answer = await (await serve(handler)).get("/log")
    assert await answer.content.readline() == b"tick\n"
    answer.close()
    await ended.wait()


async def test_quiet_log_that_is_followed_answers_at_once_and_ends_with_its_client(serve: Any) -> None:
    ended = asyncio.Event()

    async def quiet() -> AsyncGenerator[bytes, None]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            ended.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_logs(request, quiet())

    answer = await (await serve(handler)).get("/log")
    assert answer.status == 200
    answer.close()
    await ended.wait()


@pytest.mark.parametrize(("protocols", "kind"), [((), "binary"), (("binary.k8s.io",), "binary"), ((BASE64,), "text")])
async def test_log_comes_in_messages_over_a_websocket(serve: Any, protocols: tuple[str, ...], kind: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_logs(request, lines())

    socket = await (await serve(handler)).ws_connect("/log", protocols=protocols)
    messages = [message.data async for message in socket]
    received = messages if kind == "binary" else [base64.b64decode(message) for message in messages]
    assert received == [b"", b"line 0\n", b"line 1\n", b"line 2\n"]
