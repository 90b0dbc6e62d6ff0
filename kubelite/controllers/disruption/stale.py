"""Takes back the DisruptionTarget condition of pods that nobody deleted after all (upstream's `disruption`)."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.controllers import pods as podq
from kubelite.controllers.disruption.plan import DELETION_TIMEOUT
from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta

_KIND = "DisruptionTarget"
_BY_KUBELET = "TerminationByKubelet"


class StaleDisruptions(Controller):
    name = "stale-disruption-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"pods": own}

    def reconcile(self, key: Key) -> float | None:
        pod = self.client.find("pods", *key)
        if pod is None or meta.is_terminating(pod) or podq.is_finished(pod):
            return None
        conditions = pod["status"].get("conditions")
        found = meta.condition(conditions, _KIND)
        if found is None or found.get("status") != "True" or found.get("reason") == _BY_KUBELET:
            return None
        if since := found.get("lastTransitionTime"):
            left = (meta.parse_time(since) + DELETION_TIMEOUT - self.now()).total_seconds()
            if left > 0:
                return left
        status = pod["status"] | {
            "conditions": meta.with_condition(conditions, {"type": _KIND, "status": "False"}, self.now())
        }
        self.client.update("pods", pod | {"status": status}, "status")
        return None
