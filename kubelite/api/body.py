"""Request bodies: JSON, YAML or Kubernetes protobuf to objects, under the field validation directive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from aiohttp import web

from kubelite import errors
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.strategy import Propagation
from kubelite.schema import decode, protobuf, strict
from kubelite.schema.strict import Directive

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_ACCEPTED = (JSON, YAML, PROTOBUF)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An object that fits its schema, and the texts of Warning headers it earned."""

    object: Obj
    warnings: list[str]


def directive_of(request: web.Request) -> Directive:
    """The `fieldValidation` parameter; Warn is the server's default."""
    asked = request.query.get("fieldValidation") or "Warn"
    if asked not in ("Strict", "Warn", "Ignore"):
        raise errors.bad_request(
            f'fieldValidation: Unsupported value: "{asked}": supported values: "Ignore", "Warn", "Strict"'
        )
    return cast(Directive, asked)


def media_type(request: web.Request) -> str:
    """Without the parameters; a missing Content-Type is JSON (kubectl 1.20 sends none)."""
    return request.headers.get("Content-Type", JSON).split(";")[0].strip().lower() or JSON


async def read_value(request: web.Request, *, find_duplicates: bool = False) -> tuple[Any, list[str]]:
    """The decoded body and the texts of its duplicate keys."""
    content = await request.read()
    media = media_type(request)
    if media in (JSON, "application/x-www-form-urlencoded", "*/*"):
        return decode.decode_json(content, find_duplicates)
    if media == YAML:
        return decode.decode_yaml(content)
    if media == PROTOBUF:
        return protobuf.decode(content), []
    raise errors.unsupported_media_type(_ACCEPTED)


async def read_typed(request: web.Request, group: str, version: str, kind: str) -> Decoded:
    """The body as an object of this kind; apiVersion and kind may be left out."""
    directive = directive_of(request)
    value, duplicates = await read_value(request, find_duplicates=directive != "Ignore")
    if not isinstance(value, dict):
        raise errors.bad_request("the request body must be an object")
    api_version = f"{group}/{version}" if group else version
    _check_type(value, api_version, kind)
    obj, warnings = strict.accept(value, (group, version, kind), directive, duplicates)
    return Decoded({**obj, "apiVersion": api_version, "kind": kind}, warnings)


async def read_object(request: web.Request, kind: Kind) -> Decoded:
    return await read_typed(request, kind.group, kind.version, kind.kind)


def _check_type(value: Obj, api_version: str, kind: str) -> None:
    if value.get("kind") not in (None, "", kind):
        raise errors.bad_request(
            f'{value["kind"]} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}'
        )
    if value.get("apiVersion") not in (None, "", api_version):
        raise errors.bad_request(
            f"the API version in the data ({value['apiVersion']}) does not match the expected API version ({api_version})"
        )


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """metav1.DeleteOptions, from the body or from the query."""

    grace: int | None = None
    propagation: Propagation | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """Of `Registry.delete_stored`."""
        return {
            "grace": self.grace,
            "propagation": self.propagation,
            "uid": self.uid,
            "resource_version": self.resource_version,
            "dry_run": self.dry_run,
        }


async def read_delete_options(request: web.Request) -> DeleteOptions:
    value: Any = {}
    if request.can_read_body:
        value, _ = await read_value(request)
    body = value if isinstance(value, dict) else {}
    query = request.query
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    if policy is None and body.get("orphanDependents") is not None:
        policy = "Orphan" if body["orphanDependents"] else "Background"
    if policy not in (None, "", "Background", "Foreground", "Orphan"):
        raise errors.invalid(
            "DeleteOptions",
            "",
            [errors.not_supported("propagationPolicy", policy, ("Foreground", "Background", "Orphan"))],
            "meta.k8s.io",
        )
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        grace=_grace(grace),
        propagation=cast("Literal['Background', 'Foreground', 'Orphan'] | None", policy or None),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run="All" in (body.get("dryRun") or ()) or query.get("dryRun") == "All",
    )


def _grace(value: Any) -> int | None:
    if value is None:
        return None
    try:
        # A negative period means 1 second, as upstream reads it.
        return int(value) if int(value) >= 0 else 1
    except (TypeError, ValueError):
        raise errors.bad_request(f"gracePeriodSeconds: {value!r} is not a whole number") from None
