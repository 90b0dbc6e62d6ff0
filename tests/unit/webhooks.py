"""Admission webhooks that answer as tests want it, without a network; configurations that name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.conversion import Conversion
from kubelite.registry.webhook_review import Answer, Call

MUTATING = "mutatingwebhookconfigurations"
VALIDATING = "validatingwebhookconfigurations"
Says = Callable[[Obj], Answer]  # of an AdmissionRequest
Converts = Callable[[Obj, str], Obj]  # into that version

ALLOWED = Answer({"allowed": True})


def denied(message: str = "", code: int = 0) -> Answer:
    return Answer({"allowed": False, "status": {"message": message, "code": code}})


def patch(*operations: Obj) -> Answer:
    return Answer({"allowed": True, "patch": list(operations)})


def label(name: str, value: str = "yes") -> Obj:
    return {"op": "add", "path": f"/metadata/labels/{name}", "value": value}


@dataclass
class Hooks:
    """A Caller; `says` by the webhook's name (everything else is allowed), `asked` what was asked: (name, request)."""

    says: dict[str, Says] = field(default_factory=dict)
    asked: list[tuple[str, Obj]] = field(default_factory=list)
    converts: Converts = lambda obj, version: obj | {"apiVersion": version}
    conversions: list[list[str]] = field(default_factory=list)  # names of the objects of each call

    async def ask(self, call: Call) -> Answer:
        self.asked.append((call.webhook.name, call.request))
        return self.says.get(call.webhook.name, lambda request: ALLOWED)(call.request)

    async def convert(self, conversion: Conversion) -> None:
        self.conversions.append([meta.name(one) for one in conversion.objects])
        conversion.answered([self.converts(one, conversion.api_version) for one in conversion.objects])

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def rule(*resources: str, operations: tuple[str, ...] = ("*",), **more: Any) -> Obj:
    return {
        "operations": list(operations),
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": list(resources),
        **more,
    }


def webhook(name: str = "a.example.com", *rules: Obj, **more: Any) -> Obj:
    return {
        "name": name,
        "rules": list(rules) or [rule("configmaps")],
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


def configuration(*webhooks: Obj, name: str = "hooks") -> Obj:
    return {"metadata": {"name": name}, "webhooks": list(webhooks)}
