"""The autoscaler: every fifteen seconds it measures each target's pods and sets the replicas that the limits allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from kubelite.controllers.autoscaler.limits import History, decide
from kubelite.controllers.autoscaler.proposal import Proposal, propose, target_of
from kubelite.controllers.autoscaler.samples import Unmeasurable
from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.errors import StatusError, not_found
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector, from_label_selector
from kubelite.objects.usage import Measured, Meter
from kubelite.registry.client import Client, Event, Recorder

PERIOD = 15.0

_TARGETS = {
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("", "ReplicationController"): "replicationcontrollers",
}


class AutoscalerController(Controller):
    name = "horizontal-pod-autoscaler"

    def __init__(
        self, client: Client, recorder: Recorder, meter: Meter, now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._meter = meter
        self._histories: dict[Key, History] = {}

    def watches(self) -> Mapping[str, Mapper]:
        return {"horizontalpodautoscalers": self._changed}

    def _changed(self, event: Event) -> Iterable[Key]:
        """Its own writes of the status are no reason to look again."""
        if event.type == "DELETED":
            self._histories.pop(key_of(event.object), None)
        elif event.old is None or event.old["spec"] != event.object["spec"]:
            yield key_of(event.object)

    async def reconcile(self, key: Key) -> float | None:
        scaler = self.client.find("horizontalpodautoscalers", *key)
        if scaler is None or meta.is_terminating(scaler):
            return None
        look = _Look(scaler, self.now())
        target = self._target(look)
        if target is not None:
            await self._scale(look, target, self._histories.setdefault(key, History()))
        self._write(look)
        return PERIOD

    def _target(self, look: _Look) -> Obj | None:
        ref = look.scaler["spec"]["scaleTargetRef"]
        group = (ref.get("apiVersion") or "").rpartition("/")[0]
        plural = _TARGETS.get((group, ref["kind"]))
        found = self.client.find(plural, meta.namespace(look.scaler), ref["name"]) if plural else None
        if found is not None:
            text = "the HPA controller was able to get the target's current scale"
            look.condition("AbleToScale", "True", "SucceededGetScale", text)
            return found
        why = f'no matches for kind "{ref["kind"]}" in group "{group}"'
        if plural is not None:
            why = str(not_found(plural, ref["name"], group))
        self.recorder.event(look.scaler, "Warning", "FailedGetScale", why)
        text = f"the HPA controller was unable to get the target's current scale: {why}"
        look.condition("AbleToScale", "False", "FailedGetScale", text)
        return None

    async def _scale(self, look: _Look, target: Obj, history: History) -> None:
        spec, current = look.scaler["spec"], int(target["spec"].get("replicas", 1))
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        if current == 0 and least != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            look.condition("ScalingActive", "False", "ScalingDisabled", text)
            look.sizes(current, 0)
        elif current > most:
            self._rescale(look, target, most, "Current number of replicas above Spec.MaxReplicas", history)
        elif current < least:
            self._rescale(look, target, least, "Current number of replicas below Spec.MinReplicas", history)
        else:
            look.sizes(current, (look.scaler.get("status") or {}).get("desiredReplicas", 0))
            chosen = await self._measure(look, target, current)
            if chosen is not None:
                self._apply(look, target, chosen, history)

    def _apply(self, look: _Look, target: Obj, chosen: Proposal, history: History) -> None:
        current = int(target["spec"].get("replicas", 1))
        decided = decide(look.scaler["spec"], current, chosen.replicas, history, look.now)
        look.condition("AbleToScale", "True", *decided.stabilized)
        look.condition("ScalingLimited", "True" if decided.is_limited else "False", *decided.limit)
        look.sizes(current, decided.replicas)
        if decided.replicas != current:
            why = f"{chosen.name} above target" if decided.replicas > current else "All metrics below target"
            self._rescale(look, target, decided.replicas, why, history)

    async def _measure(self, look: _Look, target: Obj, current: int) -> Proposal | None:
        """The greatest of the metrics' proposals; None when there is none, or when what is missing forbids less."""
        pods = self.client.list("pods", meta.namespace(target), _selector(target))
        measured = await self._meter.of(pods)
        proposals, problems = [], []
        metrics: Sequence[Obj] = look.scaler["spec"].get("metrics") or ()
        for metric in metrics:
            try:
                proposals.append(_proposal(metric, pods, measured, current, look.now))
            except Unmeasurable as problem:
                problems.append(_Problem(metric, str(problem)))
        look.metrics = [proposal.status for proposal in proposals]
        best = max(proposals, key=lambda proposal: proposal.replicas, default=None)
        if best is None or (problems and best.replicas < current):
            self._tell_problems(look, problems, len(metrics))
            return None
        text = f"the HPA was able to successfully calculate a replica count from {best.name}"
        look.condition("ScalingActive", "True", "ValidMetricFound", text)
        return best

    def _tell_problems(self, look: _Look, problems: Sequence[_Problem], count: int) -> None:
        first = problems[0]
        look.condition("ScalingActive", "False", first.reason, first.message)
        self.recorder.event(look.scaler, "Warning", first.reason, first.error)
        text = f"invalid metrics ({len(problems)} invalid out of {count}), first error is: {first.error}"
        self.recorder.event(look.scaler, "Warning", "FailedComputeMetricsReplicas", text)

    def _rescale(self, look: _Look, target: Obj, size: int, why: str, history: History) -> None:
        current = int(target["spec"].get("replicas", 1))
        plural = _TARGETS[target["apiVersion"].rpartition("/")[0], target["kind"]]
        patch = {"spec": {"replicas": size}}
        try:
            self.client.patch(plural, meta.namespace(target), meta.name(target), patch)
        except StatusError as error:
            self.recorder.event(
                look.scaler, "Warning", "FailedRescale", f"New size: {size}; reason: {why}; error: {error}"
            )
            text = f"the HPA controller was unable to update the target scale: {error}"
            look.condition("AbleToScale", "False", "FailedUpdateScale", text)
            return
        text = f"the HPA controller was able to update the target scale to {size}"
        look.condition("AbleToScale", "True", "SucceededRescale", text)
        look.sizes(current, size)
        look.status["lastScaleTime"] = meta.format_time(look.now)
        history.scaled(look.now, size - current)
        self.recorder.event(look.scaler, "Normal", "SuccessfulRescale", f"New size: {size}; reason: {why}")

    def _write(self, look: _Look) -> None:
        status = look.status | {"currentMetrics": look.metrics or None, "conditions": look.conditions}
        scaler = self.client.find("horizontalpodautoscalers", meta.namespace(look.scaler), meta.name(look.scaler))
        if scaler is not None and meta.uid(scaler) == meta.uid(look.scaler) and scaler.get("status") != status:
            self.client.update("horizontalpodautoscalers", scaler | {"status": status}, "status")


class _Look:
    """One look at an autoscaler: its status as it will be."""

    def __init__(self, scaler: Obj, now: datetime) -> None:
        self.scaler = scaler
        self.now = now
        present = scaler.get("status") or {}
        self.status = {key: value for key, value in present.items() if key not in ("conditions", "currentMetrics")}
        self.conditions: Sequence[Obj] = present.get("conditions") or []
        self.metrics: Sequence[Obj] = []

    def condition(self, kind: str, status: str, reason: str, message: str) -> None:
        new = {"type": kind, "status": status, "reason": reason, "message": message}
        self.conditions = meta.with_condition(self.conditions, new, self.now)

    def sizes(self, current: int, desired: int) -> None:
        self.status |= {"currentReplicas": current, "desiredReplicas": desired}


class _Problem:
    """Why a metric says nothing, in the words of events and conditions."""

    def __init__(self, metric: Obj, why: str) -> None:
        field = {"Resource": "resource", "ContainerResource": "containerResource"}.get(metric["type"], "")
        source = metric.get(field) or {}
        what = "usage" if (source.get("target") or {}).get("averageValue") is not None else "utilization"
        self.reason = f"FailedGet{metric['type']}Metric"
        subject = f"{source.get('name')} {what}" if source else f"{metric['type'].lower()} metric"
        self.error = f"failed to get {subject}: {why}"
        self.message = f"the HPA was unable to compute the replica count: {self.error}"


def _proposal(metric: Obj, pods: Sequence[Obj], measured: Measured, current: int, now: datetime) -> Proposal:
    target = target_of(metric)
    if target is None:
        raise Unmeasurable("no custom or external metrics API is served")
    return propose(target, pods, measured, current, now)


def _selector(target: Obj) -> Selector:
    selector = target["spec"].get("selector")
    plain = target["kind"] == "ReplicationController"
    return from_label_selector({"matchLabels": selector} if plain else selector)
