"""Sending answers: JSON or YAML bodies, Warning headers, Status errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml
from aiohttp import web

from kubelite.api.negotiation import Form
from kubelite.errors import StatusError
from kubelite.objects.gojson import escaped

_JSON = Form()
_LARGE = 128 * 1024  # from here on answers are compressed, as upstream does, and not in the event loop


@dataclass(frozen=True, slots=True)
class Answer:
    """A body (anything msgspec encodes), its status, and texts for Warning headers."""

    body: Any
    status: int = 200
    warnings: Sequence[str] = field(default=())


def warn(response: web.StreamResponse, text: str) -> None:
    """Of what has been sent already nobody can be warned."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not response.prepared:
        response.headers.add("Warning", f'299 - "{escaped}"')


def send(request: web.Request, answer: Answer, form: Form = _JSON) -> web.Response:
    content = escaped(msgspec.json.encode(answer.body))
    if form.yaml:
        content = yaml.safe_dump(msgspec.json.decode(content), sort_keys=False).encode()
    response = web.Response(
        body=content, status=answer.status, content_type=form.content_type, zlib_executor_size=_LARGE
    )
    response.headers["Cache-Control"] = "no-cache, private"
    for warning in dict.fromkeys(answer.warnings):
        warn(response, warning)
    if len(content) > _LARGE:
        response.enable_compression()
    return response


def send_error(error: StatusError) -> web.Response:
    response = web.Response(
        body=msgspec.json.encode(error.to_status()), status=error.code, content_type="application/json"
    )
    if retry := error.details.get("retryAfterSeconds"):
        response.headers["Retry-After"] = str(retry)
    return response
