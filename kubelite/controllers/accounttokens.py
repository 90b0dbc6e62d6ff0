"""Secrets of the type service-account-token: filled with a token, and gone with their account.

After upstream's `pkg/controller/serviceaccount/tokens_controller.go`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"


class AccountTokens(Controller):
    """One secret at a time; `issue` makes the token of an account for a secret."""

    name = "tokens-controller"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        ca_pem: str,
        issue: Callable[[Obj, Obj], str],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._ca_pem = ca_pem
        self._issue = issue

    def watches(self) -> Mapping[str, Mapper]:
        return {"secrets": own, "serviceaccounts": self._of_account}

    def _of_account(self, event: Event) -> Iterable[Key]:
        secrets = self.client.list("secrets", meta.namespace(event.object))
        name = meta.name(event.object)
        return [key_of(secret) for secret in secrets if meta.annotations(secret).get(NAME) == name]

    def reconcile(self, key: Key) -> None:
        secret = self.client.find("secrets", *key)
        if secret is None or secret.get("type") != TYPE or meta.is_terminating(secret):
            return
        account = self.client.find("serviceaccounts", key[0], meta.annotations(secret).get(NAME, ""))
        if account is None or meta.annotations(secret).get(UID, meta.uid(account)) != meta.uid(account):
            self.client.delete("secrets", *key, uid=meta.uid(secret))
            return
        present = secret.get("data") or {}
        wanted = {"ca.crt": _encoded(self._ca_pem), "namespace": _encoded(key[0] or "")}
        if not present.get("token"):
            wanted["token"] = _encoded(self._issue(account, secret))
        new = meta.copy(secret)
        new["metadata"]["annotations"] |= {UID: meta.uid(account)}
        new["data"] = present | wanted
        if new != secret:
            self.client.update("secrets", new)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
