"""Calls to admission webhooks over HTTPS: an AdmissionReview there, its response back.

After apiserver's `admission/plugin/webhook/request`: what is a response. `callout` finds whom to call.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from typing import Any

import aiohttp
import msgspec

from kubelite.api.callout import Unreachable, destination, trust
from kubelite.errors import StatusError
from kubelite.objects.meta import Obj
from kubelite.registry.conversion import Conversion
from kubelite.registry.kind import Reader
from kubelite.registry.kinds.webhookconfiguration import REVIEW_VERSIONS
from kubelite.registry.webhook_review import Answer, Call

_GROUP = "admission.k8s.io"
_JSON_PATCH = "JSONPatch"
# A webhook that speaks YAML too takes its pick where anything is accepted; this is what upstream's client sends.
_ACCEPT = "application/json, */*"
_CONVERSION_GROUP = "apiextensions.k8s.io"
_CONVERSION_SECONDS = 30
_MOST = 3 * 1024 * 1024  # bytes of a response


class _NoResponse(Exception):
    """What came back isn't an answer to the question."""


class WebhookCaller:
    """Asks webhooks; the session lives as long as the process."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, call: Call) -> Answer:
        spec, identity = call.webhook.spec, str(uuid.uuid4())
        version = next(one for one in spec["admissionReviewVersions"] if one in REVIEW_VERSIONS)
        review = {
            "kind": "AdmissionReview",
            "apiVersion": f"{_GROUP}/{version}",
            "request": {"uid": identity} | call.request,
        }
        try:
            content = await self._post(spec["clientConfig"], review, spec["timeoutSeconds"])
        except (StatusError, Unreachable, _NoResponse) as error:
            return Answer(fault=f"failed to call webhook: {error}")
        try:
            return Answer(_verified(content, identity, version, call.mutating))
        except _NoResponse as error:
            return Answer(fault=f"received invalid webhook response: {error}")

    async def convert(self, conversion: Conversion) -> None:
        webhook, identity = conversion.webhook, str(uuid.uuid4())
        version = next(one for one in webhook["conversionReviewVersions"] if one in REVIEW_VERSIONS)
        request = {"uid": identity, "desiredAPIVersion": conversion.api_version, "objects": conversion.objects}
        review = {"kind": "ConversionReview", "apiVersion": f"{_CONVERSION_GROUP}/{version}", "request": request}
        try:
            answer = msgspec.json.decode(await self._post(webhook["clientConfig"], review, _CONVERSION_SECONDS))
            converted = _converted(answer, identity)
        except (StatusError, Unreachable, _NoResponse, msgspec.DecodeError) as error:
            raise conversion.failed(str(error)) from error
        conversion.answered(converted)

    async def _post(self, client: Obj, review: Obj, seconds: int) -> bytes:
        to = destination(self._reader, client)
        url = f"{to.url}?timeout={seconds}s"
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"Content-Type": "application/json", "Accept": _ACCEPT, "Host": to.host}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(
                    url.replace(f"https://{to.host}", f"https://{to.address}", 1) if to.address else url,
                    data=msgspec.json.encode(review),
                    headers=headers,
                    ssl=trust(client.get("caBundle") or ""),
                    server_hostname=to.server_name,
                    allow_redirects=False,
                ) as response,
            ):
                content = await response.content.read(_MOST)
                if not 200 <= response.status < 300:
                    raise _NoResponse(f'the server answered {response.status} to Post "{url}": {content[:1024]!r}')
                return content
        except TimeoutError:
            raise _NoResponse(f'Post "{url}": context deadline exceeded') from None
        except (OSError, aiohttp.ClientError) as error:
            raise _NoResponse(f'Post "{url}": {error}') from error


def _verified(content: bytes, identity: str, version: str, mutating: bool) -> Obj:
    """The response in `content`, its patch decoded."""
    try:
        review: Any = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise _NoResponse(str(error)) from error
    response = review.get("response") if isinstance(review, dict) else None
    if not isinstance(response, dict):
        raise _NoResponse("webhook response was absent")
    if version == "v1":
        _check_v1(review, response, identity)
    if not mutating or not response.get("patch"):
        return {**response, "patch": []}
    kind = response.get("patchType")
    if kind != _JSON_PATCH and version == "v1":
        raise _NoResponse(f"invalid response.patchType: {kind!r}")
    try:
        return {**response, "patch": msgspec.json.decode(base64.b64decode(response["patch"]))}
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise _NoResponse(f"received undecodable patch in webhook response: {error}") from error


def _converted(review: Any, identity: str) -> list[Obj]:
    """The objects of a ConversionReview's response."""
    response = review.get("response") if isinstance(review, dict) else None
    if not isinstance(response, dict):
        raise _NoResponse("no response provided")
    result = response.get("result") or {}
    if response.get("uid") != identity:
        raise _NoResponse(f'expected response.uid="{identity}", got "{response.get("uid", "")}"')
    if result.get("status") != "Success":
        raise _NoResponse(
            result.get("message") or f"response.result.status was '{result.get('status', '')}', not 'Success'"
        )
    return list(response.get("convertedObjects") or ())


def _check_v1(review: Obj, response: Obj, identity: str) -> None:
    if response.get("uid") != identity:
        raise _NoResponse(f'expected response.uid="{identity}", got "{response.get("uid", "")}"')
    found = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
    if found != f"{_GROUP}/v1, Kind=AdmissionReview":
        raise _NoResponse(f"expected webhook response of {_GROUP}/v1, Kind=AdmissionReview, got {found}")
    if response.get("patch") and not response.get("patchType"):
        raise _NoResponse("webhook returned response.patch but not response.patchType")
    if response.get("patchType") and not response.get("patch"):
        raise _NoResponse("webhook returned response.patchType but not response.patch")
