"""Patch requests: JSON patch, merge patch and strategic merge patch, checked against the kind's schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpatch
from aiohttp import web

from kubelite import errors
from kubelite.api.body import Decoded
from kubelite.api.path import Target
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.patch_merge import merge_patch
from kubelite.objects.patch_strategic import strategic_merge
from kubelite.registry.field_managers import not_typed
from kubelite.registry.kind import Kind
from kubelite.schema import decode
from kubelite.schema.decode import Duplicate
from kubelite.schema.model import definition_for
from kubelite.schema.strict import Checker, Directive, Findings, accept_patched, check

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_MOST_OPERATIONS = 10_000
APPLY_PATCH = "application/apply-patch+yaml"
_ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


@dataclass(frozen=True, slots=True)
class Patch:
    """A decoded patch; `apply` gives the patched object and warnings, or raises upstream's 400 or 422."""

    media: str
    value: Any
    gvk: tuple[str, str, str]
    directive: Directive
    duplicates: Sequence[Duplicate]
    checker: Checker | None = None

    def apply(self, obj: Obj) -> tuple[Obj, list[str]]:
        """`obj` stays as it is."""
        new = _APPLY[self.media](obj, self.value, self.gvk)
        if not isinstance(new, dict):
            raise errors.bad_request("the patched object is not an object")
        shown = self.value if self.media == STRATEGIC_PATCH else None
        accepted, warnings = accept_patched(new, self.gvk, self.directive, shown, self.duplicates, self.checker)
        return meta.copy(accepted), warnings


def _strategic(obj: Obj, patch: Any, gvk: tuple[str, str, str]) -> Any:
    return strategic_merge(obj, patch, definition_for(*gvk))


def _merge(obj: Obj, patch: Any, gvk: tuple[str, str, str]) -> Any:
    return merge_patch(obj, patch)


def _json(obj: Obj, patch: Any, gvk: tuple[str, str, str]) -> Any:
    try:
        return jsonpatch.JsonPatch(patch).apply(obj)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as fault:
        message = "the server rejected our request due to an error in our request"
        raise errors.StatusError(422, "Invalid", message) from fault


_APPLY: dict[str, Callable[[Obj, Any, tuple[str, str, str]], Any]] = {
    JSON_PATCH: _json,
    MERGE_PATCH: _merge,
    STRATEGIC_PATCH: _strategic,
}


async def read_typed(
    request: web.Request,
    group: str,
    version: str,
    kind: str,
    directive: Directive = "Warn",
    *,
    checker: Checker | None = None,
) -> Patch:
    """The request's patch for an object of this kind."""
    media = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    accepted = [one for one in _ACCEPTED if checker is None or one != STRATEGIC_PATCH]
    if media not in accepted:
        raise errors.unsupported_media_type(accepted)
    value, duplicates = decode.decode_json(await request.read(), directive != "Ignore", "error decoding patch")
    wanted = list if media == JSON_PATCH else dict
    if not isinstance(value, wanted):
        raise errors.bad_request(f"error decoding patch: expected {'an array' if wanted is list else 'an object'}")
    if media == JSON_PATCH and len(value) > _MOST_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(value)}"
        raise errors.StatusError(413, "RequestEntityTooLarge", message)
    if media == JSON_PATCH:
        duplicates = _of_operations(value, duplicates)
    return Patch(media, value, (group, version, kind), directive, duplicates, checker)


_OPERATION = ("op", "path", "from", "value")


def _of_operations(operations: Iterable[Any], duplicates: Sequence[Duplicate]) -> list[Duplicate]:
    """What is wrong with the operations of a JSON patch themselves; into their values nobody looks."""
    listed = [(f"[{index}]", one) for index, one in enumerate(operations) if isinstance(one, dict)]
    unknown = [f"{at}.{key}" for at, one in listed for key in one if key not in _OPERATION]
    known = {f"{at}.{key}" for at, one in listed for key in one}
    found = Findings.at_once([one for one in duplicates if one.path in known], unknown)
    return [Duplicate(f"json patch {text}", "of an operation") for text in found.texts]


async def read_config(request: web.Request, target: Target, directive: Directive) -> Decoded:
    """The configuration of a server-side apply: a part of the object, in YAML or JSON."""
    content, kind = await request.read(), target.kind
    value, duplicates = _read_configuration(content, find_duplicates=directive != "Ignore")
    if not isinstance(value, dict) or not isinstance(value.get("metadata") or {}, dict):
        raise errors.bad_request("error decoding YAML: expected an object")
    found = Findings.one_by_one(duplicates if directive != "Ignore" else ())
    if found and directive == "Strict":
        raise errors.bad_request(f"error strict decoding YAML: {found.error}")
    _check_config(value, kind)
    metadata = {"name": target.name} | (value.get("metadata") or {})
    if kind.namespaced:
        metadata.setdefault("namespace", target.namespace)
    value = {**value, "metadata": metadata}
    definition = definition_for(kind.group, kind.version, kind.kind)
    if kind.structural is not None:
        result = kind.structural.check(value)
    elif definition is not None:
        result = check(value, definition)
    else:
        return Decoded(value)
    faults = [f".{wrong.path}: {wrong.message}" for wrong in result.errors]
    faults += [f".{path}: field not declared in schema" for path in result.unknown]
    if faults:
        raise not_typed(kind, value, faults)
    return Decoded(result.object, found.warnings)


def _read_configuration(content: bytes, *, find_duplicates: bool) -> tuple[Any, list[Duplicate]]:
    """JSON is read as such because that is faster; what is wrong with it is told as of YAML, which it is too."""
    if content.lstrip().startswith(b"{"):
        value, duplicates = decode.decode_json(content, find_duplicates)
        if not duplicates:
            return value, []
    return decode.decode_yaml(content)


def _check_config(value: Obj, kind: Kind) -> None:
    version = value.get("apiVersion") or ""
    if version != kind.api_version or value.get("kind") != kind.kind:
        raise errors.bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, "
            f"expected: {kind.api_version}"
            if version != kind.api_version
            else f"Incorrect kind specified in apply patch. Specified kind: {value.get('kind')}, expected: {kind.kind}"
        )
    if (value.get("metadata") or {}).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")


async def read(request: web.Request, kind: Kind, directive: Directive) -> Patch:
    return await read_typed(request, kind.group, kind.version, kind.kind, directive, checker=kind.structural)
