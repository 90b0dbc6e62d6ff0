"""Signs certificates: approved requests to the cluster's own signers (upstream's `pkg/controller/certificates/signer`)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder
from kubelite.registry.kinds.certificatesigningrequest import verdicts

Sign = Callable[[bytes, Sequence[str], int], bytes]  # request in PEM, usages, seconds -> certificate in PEM

_PLURAL = "certificatesigningrequests"
_LONGEST = 365 * 24 * 3600
_ENCIPHER = {"digital signature", "key encipherment"}
# The usages a signer signs for: those in the first set and, all of them, those in the second.
_SIGNERS: Mapping[str, tuple[set[str], set[str]]] = {
    "kubernetes.io/kube-apiserver-client": (_ENCIPHER, {"client auth"}),
    "kubernetes.io/kube-apiserver-client-kubelet": (_ENCIPHER, {"client auth"}),
    "kubernetes.io/kubelet-serving": (_ENCIPHER, {"server auth"}),
}


class CertificateSigner(Controller):
    """One key per request."""

    name = "certificate-signer"

    def __init__(
        self, client: Client, recorder: Recorder, sign: Sign, now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._sign = sign

    def watches(self) -> Mapping[str, Mapper]:
        return {_PLURAL: own}

    def reconcile(self, key: Key) -> None:
        request = self.client.find(_PLURAL, *key)
        if request is None or not _is_waiting(request):
            return
        new, spec = meta.copy(request), request["spec"]
        status = new.setdefault("status", {})
        fault = unsuitable(spec["signerName"], spec["usages"])
        try:
            if fault:
                raise ValueError(fault)
            seconds = min(spec.get("expirationSeconds", _LONGEST), _LONGEST)
            certificate = self._sign(base64.b64decode(spec["request"]), spec["usages"], seconds)
            status["certificate"] = base64.b64encode(certificate).decode()
        except ValueError as error:
            failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(error)}
            status["conditions"] = [*(status.get("conditions") or ()), failed]
        self.client.update(_PLURAL, new, "status")


def _is_waiting(request: Obj) -> bool:
    found = verdicts(request)
    decided = "Approved" in found and not found & {"Denied", "Failed"}
    return decided and not request["status"].get("certificate") and request["spec"]["signerName"] in _SIGNERS


def unsuitable(signer: str, usages: Sequence[str]) -> str:
    """Why the signer won't sign for these usages; empty when it will."""
    optional, needed = _SIGNERS[signer]
    if needed <= set(usages) <= optional | needed:
        return ""
    return f"usages did not match {sorted(optional | needed)}"
