"""Serving the OpenAPI documents: built when first asked for, compressed, revalidated by ETag."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable

from aiohttp import web

from kubelite import errors
from kubelite.config import KUBERNETES_VERSION
from kubelite.registry.kind import Kind
from kubelite.schema import openapi_v2
from kubelite.schema.descriptions import definitions_file
from kubelite.schema.openapi_v2 import OpenApiV2
from kubelite.schema.openapi_v3 import OpenApiV3


class OpenApi:
    """Handlers of `/openapi/v2` (protobuf) and `/openapi/v3` (JSON)."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        listed = list(kinds)
        self._v2 = OpenApiV2(listed, KUBERNETES_VERSION)
        self._v3 = OpenApiV3(listed, KUBERNETES_VERSION, prose=definitions_file())
        self._compressed: dict[str, bytes] = {}

    async def v2(self, request: web.Request) -> web.StreamResponse:
        """Protobuf for who asks for it, as kubectl does; JSON for everybody else."""
        if "protobuf" in request.headers.get("Accept", ""):
            return await self._send(request, self._v2.etag, openapi_v2.MEDIA_TYPE, lambda: self._v2.document)
        return await self._send(request, f"{self._v2.etag}J", "application/json", lambda: self._v2.json)

    async def v3_index(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._v3.index, content_type="application/json")

    async def v3(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["path"]
        if key not in self._v3.keys:
            raise errors.page_not_found()
        return await self._send(request, self._v3.etag(key), "application/json", lambda: self._v3.document(key))

    async def _send(
        self, request: web.Request, etag: str, content_type: str, document: Callable[[], bytes]
    ) -> web.StreamResponse:
        """A document is built and compressed in a thread: that takes longer than requests may wait."""
        headers = {"ETag": f'"{etag}"', "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match", "").strip('"') == etag:
            return web.Response(status=304, headers=headers)
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            body = await asyncio.to_thread(document)
            return web.Response(body=body, headers=headers, content_type=content_type)
        if etag not in self._compressed:
            self._compressed[etag] = await asyncio.to_thread(lambda: gzip.compress(document(), 5))
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=self._compressed[etag], headers=headers, content_type=content_type)
