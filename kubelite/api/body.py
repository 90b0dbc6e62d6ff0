"""Request bodies: JSON, YAML or Kubernetes protobuf to objects, under the field validation directive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web

from kubelite import errors
from kubelite.api import options
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.strategy import Propagation
from kubelite.schema import decode, protobuf, strict
from kubelite.schema.strict import Checker, Directive

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_ACCEPTED = (JSON, YAML, PROTOBUF)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An object that fits its schema, and the texts of Warning headers it earned."""

    object: Obj
    warnings: list[str] = field(default_factory=list)


def media_type(request: web.Request) -> str:
    """Without the parameters; a missing Content-Type is JSON (kubectl 1.20 sends none)."""
    return request.headers.get("Content-Type", JSON).split(";")[0].strip().lower() or JSON


async def read_value(request: web.Request, *, find_duplicates: bool = False) -> tuple[Any, list[decode.Duplicate]]:
    """The decoded body and its duplicate keys."""
    content = await request.read()
    media = media_type(request)
    if media == JSON:
        return decode.decode_json(content, find_duplicates)
    if media == YAML:
        value, duplicates = decode.decode_yaml(content)
        return _in_order(value), duplicates
    if media == PROTOBUF:
        return protobuf.decode(content), []
    raise errors.unsupported_media_type(_ACCEPTED)


def _in_order(value: Any) -> Any:
    """YAML becomes JSON before it is looked at, and that has its keys sorted."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


async def read_typed(
    request: web.Request,
    group: str,
    version: str,
    kind: str,
    directive: Directive = "Warn",
    *,
    also: str = "",
    checker: Checker | None = None,
) -> Decoded:
    """The body as an object of this kind; apiVersion (which may be `also`) and kind may be left out."""
    value, duplicates = await read_value(request, find_duplicates=directive != "Ignore")
    if not isinstance(value, dict):
        raise errors.bad_request("the request body must be an object")
    api_version = f"{group}/{version}" if group else version
    _check_type(value if value.get("apiVersion") != also else {**value, "apiVersion": api_version}, api_version, kind)
    obj, warnings = strict.accept(value, (group, version, kind), directive, duplicates, checker)
    metadata = dict(obj.get("metadata") or {})
    return Decoded({**obj, "apiVersion": api_version, "kind": kind, "metadata": metadata}, warnings)


async def read_object(request: web.Request, kind: Kind, directive: Directive) -> Decoded:
    return await read_typed(request, kind.group, kind.version, kind.kind, directive, checker=kind.structural)


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
    cascades: bool = False  # said so in a way that upstream answers with 202 while the object is still there

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


_POLICIES = ("Foreground", "Background", "Orphan")


async def read_delete_options(request: web.Request) -> DeleteOptions:
    """A body is all there is to read; only without one the query counts."""
    value: Any = dict(request.query)
    if request.can_read_body and await request.read():
        value, _ = await read_value(request)
    if not isinstance(value, dict):
        raise errors.bad_request("the request body must be an object")
    dry_run = value.get("dryRun") or []
    dry_run = [dry_run] if isinstance(dry_run, str) else dry_run
    policy = _policy(value)
    options.refused("DeleteOptions", options.dry_run_errors(dry_run))
    preconditions = value.get("preconditions") or {}
    return DeleteOptions(
        grace=_grace(value.get("gracePeriodSeconds")),
        propagation=policy,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run="All" in dry_run,
        cascades=policy == "Foreground" or value.get("orphanDependents") in (False, "false"),
    )


def _policy(value: Obj) -> Propagation | None:
    policy, orphan = value.get("propagationPolicy") or None, value.get("orphanDependents")
    found = []
    if policy is not None and policy not in _POLICIES:
        found.append(errors.not_supported("propagationPolicy", policy, _POLICIES))
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        found.append(errors.invalid_value("propagationPolicy", policy, text))
    options.refused("DeleteOptions", found)
    if orphan is not None:
        return "Orphan" if orphan in (True, "true") else "Background"
    return cast("Propagation | None", policy)


def _grace(value: Any) -> int | None:
    if value is None:
        return None
    try:
        # A negative period means 1 second, as upstream reads it.
        return int(value) if int(value) >= 0 else 1
    except (TypeError, ValueError):
        raise errors.bad_request(f"gracePeriodSeconds: {value!r} is not a whole number") from None
