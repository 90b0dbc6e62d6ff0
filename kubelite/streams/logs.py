"""The `log` subresource of pods: a container's log as one endless text answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web


async def serve_logs(
    request: web.Request, chunks: AsyncGenerator[bytes, None], *, limit_bytes: int | None = None
) -> web.StreamResponse:
    """Send the log as it comes, up to `limit_bytes`, and stop reading it when the client goes."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    async with aclosing(chunks):
        try:
            await response.prepare(request)
            left = limit_bytes
            async for chunk in chunks:
                await response.write(chunk[:left])
                if left is not None:
                    left -= len(chunk)
                    if left <= 0:
                        break
            await response.write_eof()
        except ConnectionError:
            pass  # the client went
    return response
