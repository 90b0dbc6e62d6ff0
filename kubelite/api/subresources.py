"""Subresources that aren't a plain part of the object: scale, binding, eviction, finalize."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from kubelite import errors
from kubelite.api import body, eviction, patching, scale
from kubelite.api.answer import Answer, send
from kubelite.api.negotiation import answer_form
from kubelite.api.options import WriteOptions
from kubelite.api.path import Target
from kubelite.api.resources import write_options
from kubelite.api.scale import SCALE
from kubelite.api.views import One
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.field_managers import Writer
from kubelite.registry.registry import Registry
from kubelite.registry.webhook_review import reviewed
from kubelite.registry.webhook_rules import Attributes, Operation
from kubelite.schema import decode
from kubelite.schema.strict import accept

Shape = tuple[str, str, str]  # group, version, kind
_SCALE: Shape = ("autoscaling", "v1", "Scale")
_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class Subresources:
    """Handlers by subresource; each takes the request and its target."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def _object(self, target: Target) -> Obj:
        return self._registry.stored(target.kind, target.namespace, target.name).object

    async def get_scale(self, request: web.Request, target: Target) -> web.StreamResponse:
        return self._shown(request, target, self._object(target))

    def _shown(self, request: web.Request, target: Target, obj: Obj) -> web.StreamResponse:
        """A Scale, or as a Table of one."""
        shown = self._scale(target, obj)
        form = answer_form(request.headers.get("Accept", ""))
        return send(request, Answer(One(SCALE, shown).shown(form, request.query, self._registry.now())), form)

    @staticmethod
    def _scale(target: Target, obj: Obj) -> Obj:
        paths = target.kind.scale
        return scale.of_custom(target.kind.encode(obj), paths) if paths else scale.of(obj)

    async def update_scale(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = write_options(request, "UpdateOptions")
        decoded = await body.read_typed(request, "autoscaling", "v1", "Scale", wanted.directive)
        return self._scaled(request, target, decoded.object, wanted)

    async def patch_scale(self, request: web.Request, target: Target) -> web.StreamResponse:
        if body.media_type(request) == patching.APPLY_PATCH:
            return await self._apply_scale(request, target)
        wanted = write_options(request, "PatchOptions")
        patch = await patching.read_typed(request, "autoscaling", "v1", "Scale", wanted.directive)
        new, _ = patch.apply(self._scale(target, self._object(target)))
        return self._scaled(request, target, new, wanted)

    async def _apply_scale(self, request: web.Request, target: Target) -> web.StreamResponse:
        """A Scale owns one field of its workload."""
        wanted = write_options(request, "PatchOptions", apply=True)
        value, _ = decode.decode_yaml(await request.read())
        asked, _ = accept(value if isinstance(value, dict) else {}, ("autoscaling", "v1", "Scale"), wanted.directive)
        kind, old = target.kind, self._object(target)
        shown = self._scale(target, old)
        new = shown | {"spec": {"replicas": (asked.get("spec") or {}).get("replicas", 0)}}
        config: Any = self._admitted(target, "UPDATE", new, _SCALE, wanted.dry_run, old=shown)["spec"]["replicas"]
        for name in reversed(kind.scale.replicas if kind.scale else ("spec", "replicas")):
            config = {name: config}
        metadata = {"name": target.name, "namespace": target.namespace}
        config |= {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        with reviewed(None):
            applied = self._registry.apply(
                kind,
                target.namespace,
                meta.name(old),
                config,
                writer=Writer(wanted.manager, "scale"),
                force=wanted.force,
                dry_run=wanted.dry_run,
            )
        return self._shown(request, target, applied.object)

    def _scaled(self, request: web.Request, target: Target, new: Obj, wanted: WriteOptions) -> web.StreamResponse:
        replicas = new.get("spec", {}).get("replicas", 0)
        if replicas < 0:
            wrong = errors.invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
            raise errors.invalid("Scale", target.name, [wrong], "autoscaling")
        old, paths = self._object(target), target.kind.scale
        new = self._admitted(target, "UPDATE", new, _SCALE, wanted.dry_run, old=self._scale(target, old))
        scaled = scale.applied_to_custom(target.kind.encode(old), new, paths) if paths else scale.applied(old, new)
        with reviewed(None):
            updated = self._registry.replace(
                target.kind, old, scaled, writer=Writer(wanted.manager, "scale"), dry_run=wanted.dry_run
            )
        return self._shown(request, target, updated)

    def _admitted(
        self, target: Target, operation: Operation, new: Obj, shape: Shape, dry_run: bool, old: Obj | None = None
    ) -> Obj:
        """What webhooks make of an object of this shape that is sent to a subresource."""
        asked = Attributes(
            target.kind,
            operation,
            target.namespace or "",
            target.name,
            new,
            old,
            target.subresource,
            shape,
            dry_run=dry_run,
        )
        return self._registry.webhooks.review(asked) or new

    async def create_binding(self, request: web.Request, target: Target) -> web.StreamResponse:
        dry_run = write_options(request, "CreateOptions").dry_run
        decoded = await body.read_typed(request, "", "v1", "Binding")
        wanted = decoded.object.get("target") or {}
        if wanted.get("kind") not in (None, "", "Node") or not wanted.get("name"):
            raise errors.invalid("Binding", target.name, [errors.required("target.name")])
        self._admitted(target, "CREATE", decoded.object, ("", "v1", "Binding"), dry_run)
        self._registry.bind(self._object(target), wanted["name"], dry_run=dry_run)
        return send(request, Answer(_CREATED, 201))

    async def create_eviction(self, request: web.Request, target: Target) -> web.StreamResponse:
        decoded = await body.read_typed(request, "policy", "v1", "Eviction", also="policy/v1beta1")
        options = decoded.object.get("deleteOptions") or {}
        pod = self._object(target)
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        preconditions = options.get("preconditions") or {}
        dry_run = write_options(request, "CreateOptions").dry_run or "All" in (options.get("dryRun") or ())
        eviction.check_request(decoded.object, pod)
        self._admitted(target, "CREATE", decoded.object, ("policy", "v1", "Eviction"), dry_run)
        with reviewed(None):
            eviction.spend_budget(self._registry, pod, dry_run=dry_run)
            if not dry_run:
                self._mark_disrupted(pod)
                stored = self._registry.stored(target.kind, target.namespace, target.name)
            self._registry.delete_stored(
                target.kind,
                stored,
                uid=preconditions.get("uid"),
                grace=options.get("gracePeriodSeconds"),
                dry_run=dry_run,
            )
        return send(request, Answer(_CREATED, 201))

    def _mark_disrupted(self, pod: Obj) -> None:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        new = meta.copy(pod)
        status = new.setdefault("status", {})
        status["conditions"] = meta.with_condition(status.get("conditions"), condition, self._registry.now())
        self._registry.update("pods", new, "status")
