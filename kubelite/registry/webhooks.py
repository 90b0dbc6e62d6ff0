"""What admission webhooks make of a write: changes by the mutating ones in turn, then a yes of all validating ones.

Called by the registry; see `webhook_review` for how answers come here. After apiserver's
`admission/plugin/webhook/{mutating,validating,request,errors}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jsonpatch

from kubelite.errors import StatusError, internal_error
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.field_managers import Writer
from kubelite.registry.kind import Kind, Reader
from kubelite.registry.webhook_review import Answer, Call, Pending, Review, current
from kubelite.registry.webhook_rules import GROUP, Attributes, Operation, Webhook, chosen_kind, listed
from kubelite.schema.strict import accept

_OF_THE_SERVER = ("name", "uid", "creationTimestamp", "generation", "managedFields")
MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
RESOURCES = frozenset({f"{MUTATING}.{GROUP}", f"{VALIDATING}.{GROUP}"})


def unborn(obj: Obj, name: str) -> Obj:
    """A new object as its client means it, called `name` or not yet by any name."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _OF_THE_SERVER}
    return {**obj, "metadata": metadata | {"name": name} if name else metadata}


class Webhooks:
    """The webhooks of a cluster; `equivalents` gives all kinds of a resource."""

    def __init__(self, reader: Reader, equivalents: Callable[[Kind], Sequence[Kind]]) -> None:
        self._reader = reader
        self._equivalents = equivalents
        self.refresh()

    def refresh(self) -> None:
        """A configuration has changed."""
        self._mutating = list(listed(self._reader.list(MUTATING)))
        self._validating = list(listed(self._reader.list(VALIDATING)))

    @property
    def any(self) -> bool:
        return bool(self._mutating or self._validating)

    def asked(
        self,
        kind: Kind,
        operation: Operation,
        new: Obj | None,
        old: Obj | None,
        *,
        name: str,
        subresource: str = "",
        dry_run: bool = False,
        manager: Writer | None = None,
    ) -> Attributes | None:
        """What there is to ask about the present write; None where there is nobody to ask."""
        review = current() if self.any else None
        of_state = subresource == "status" or subresource in kind.status_writes
        if review is None or (of_state and not review.of_client):
            return None
        namespace = meta.namespace(old or new or {}) or ""
        if kind.resource == "namespaces":
            namespace = name  # a Namespace is in itself
        by = manager.name if manager else ""
        return Attributes(kind, operation, namespace, name, new, old, subresource, dry_run=dry_run, manager=by)

    def review(self, asked: Attributes) -> Obj | None:
        """All that there is to ask about what isn't stored: `asked.new` as it is in the end."""
        new = self.mutated(asked)
        self.validate(asked, new)
        return new

    def review_all(self, asked: Iterable[Attributes]) -> None:
        """One request about many objects: all calls that it takes are made before it goes on."""
        missing: list[Call] = []
        for one in asked if self.any else ():
            try:
                self.review(one)
            except Pending as pending:
                missing += pending.calls
        if missing:
            raise Pending(missing)

    def mutated(self, asked: Attributes) -> Obj | None:
        """What becomes of `asked.new`: the same object when nobody changes it. May raise Pending."""
        review = current()
        if review is None or not self._mutating:
            return asked.new
        first = _Round(review, asked, 0)
        for webhook, kind in self._concerned(self._mutating, asked):
            first.ask(webhook, kind)
        second = _Round(review, first.asked, 1)
        for webhook, kind in first.again:
            second.ask(webhook, kind)
        return second.asked.new

    def validate(self, asked: Attributes | None, new: Obj | None) -> None:
        """StatusError when one says no to `new`, or can't be asked and must be. May raise Pending."""
        review = current()
        if asked is None or review is None or not self._validating:
            return
        asked = replace(asked, new=new)
        calls = [_call(webhook, kind, asked, review, 0) for webhook, kind in self._concerned(self._validating, asked)]
        if missing := [call for call in calls if review.answer(call) is None]:
            raise Pending(missing)
        for call in calls:
            _allowed(call, review.answer(call) or Answer())

    def _concerned(self, webhooks: Sequence[Webhook], asked: Attributes) -> Iterator[tuple[Webhook, Kind]]:
        namespace = self._reader.find("namespaces", None, asked.namespace) if asked.namespace else None
        equivalents = self._equivalents(asked.kind)
        for webhook in webhooks:
            if kind := chosen_kind(webhook, asked, equivalents, namespace):
                yield webhook, kind


class _Round:
    """The mutating webhooks one after the other: each sees what those before it made of the object."""

    def __init__(self, review: Review, asked: Attributes, number: int) -> None:
        self._review = review
        self._number = number
        self._reinvocable: list[tuple[Webhook, Kind]] = []
        self.asked = asked
        self.again: list[tuple[Webhook, Kind]] = []  # who wants to know of what later ones changed

    def ask(self, webhook: Webhook, kind: Kind) -> None:
        call = _call(webhook, kind, self.asked, self._review, self._number)
        answer = self._review.answer(call)
        if answer is None:
            raise Pending([call])
        if _allowed(call, answer):
            new = _patched(call.webhook.name, answer, kind, self.asked)
            if new != self.asked.new:
                self.asked = replace(self.asked, new=new)
                self.again += [one for one in self._reinvocable if one not in self.again]
        if webhook.spec.get("reinvocationPolicy") == "IfNeeded":
            self._reinvocable.append((webhook, kind))


def _call(webhook: Webhook, kind: Kind, asked: Attributes, review: Review, number: int) -> Call:
    mutating, version = "reinvocationPolicy" in webhook.spec, meta.resource_version(asked.old) if asked.old else 0
    what = (asked.kind.resource, asked.subresource, asked.operation, asked.namespace, asked.name, version)
    return Call(webhook, (webhook.id, mutating, number, what), _request(kind, asked, review), mutating)


def _request(kind: Kind, asked: Attributes, review: Review) -> Obj:
    """An AdmissionRequest in the form that `kind` has; the uid is the caller's."""
    request: Obj = {
        "kind": _gvk(kind, asked),
        "resource": _gvr(kind),
        "subResource": asked.subresource,
        "requestKind": _gvk(asked.kind, asked),
        "requestResource": _gvr(asked.kind),
        "requestSubResource": asked.subresource,
        "name": asked.name,
        "namespace": asked.namespace,
        "operation": asked.operation,
        "userInfo": review.user,
    }
    request = {key: value for key, value in request.items() if value}
    return request | {
        "object": _encoded(kind, asked.new, asked),
        "oldObject": _encoded(kind, asked.old, asked),
        "dryRun": asked.dry_run,
        "options": _options(asked),
    }


def _options(asked: Attributes) -> Obj | None:
    if asked.operation == "CONNECT":
        return None
    options = {"kind": f"{asked.operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
    return options | ({"fieldManager": asked.manager} if asked.manager else {})


def _gvk(kind: Kind, asked: Attributes) -> Obj:
    group, version, name = asked.shape or (kind.group, kind.version, kind.kind)
    return {"group": group, "version": version, "kind": name}


def _gvr(kind: Kind) -> Obj:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def _encoded(kind: Kind, obj: Obj | None, asked: Attributes) -> Obj | None:
    return obj if obj is None or asked.shape else kind.encode(obj)


def _allowed(call: Call, answer: Answer) -> bool:
    """False when there is no answer and that doesn't matter; a refusal is raised."""
    name, response = call.webhook.name, answer.response
    if answer.fault:
        if call.webhook.fails_open:
            return False
        raise internal_error(f'failed calling webhook "{name}": {answer.fault}')
    if not response.get("allowed"):
        raise _denied(name, response.get("status") or {})
    return True


def _denied(name: str, status: Obj) -> StatusError:
    """The webhook's own words, under its name; what isn't an HTTP error becomes one."""
    text, reason = status.get("message") or "", status.get("reason") or ""
    why = f": {text or reason}" if text or reason else " without explanation"
    code = max(int(status.get("code") or 0), 400)
    return StatusError(code, reason, f'admission webhook "{name}" denied the request{why}', status.get("details") or {})


def _patched(name: str, answer: Answer, kind: Kind, asked: Attributes) -> Obj | None:
    """A patch is of what the webhook was shown, which has other random names than this attempt."""
    patch: list[Any] = answer.response.get("patch") or []
    if not patch:
        return asked.new
    if asked.new is None:
        text = "attempted to modify the object, which is not supported for this operation"
        raise internal_error(f'admission webhook "{name}" {text}')
    try:
        new = jsonpatch.JsonPatch(patch).apply(meta.copy(answer.shown))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as fault:
        raise internal_error(str(fault)) from fault
    if asked.shape is None:
        new, _ = accept(new, (kind.group, kind.version, kind.kind), "Ignore", checker=kind.structural)
        new = {**kind.decode(new), "apiVersion": asked.kind.api_version, "kind": asked.kind.kind}
    return meta.copy(new)
