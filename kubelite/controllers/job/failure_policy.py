"""What a Job's podFailurePolicy says about a failed pod. Pure; after upstream's `pod_failure_policy`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Verdict:
    """`action` is that of the first rule that fits, if any; `message` says why the whole Job fails."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether the failure counts against the limits."""
        return self.action != "Ignore"


def matched(job: Obj, pod: Obj) -> Verdict:
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for index, rule in enumerate(rules):
        if why := _why(rule, pod):
            action = rule["action"]
            message = f"{why} matching {action} rule at index {index}" if action == "FailJob" else ""
            return Verdict(action, message)
    return Verdict()


def _why(rule: Obj, pod: Obj) -> str:
    status, where = pod.get("status") or {}, f"{meta.namespace(pod)}/{meta.name(pod)}"
    if (wanted := rule.get("onExitCodes")) is not None:
        for states in (status.get("containerStatuses"), status.get("initContainerStatuses")):
            for name, code in _exit_codes(states or ()):
                if wanted.get("containerName") in (None, name) and _fits(code, wanted):
                    return f"Container {name} for pod {where} failed with exit code {code}"
        return ""
    patterns = {(pattern["type"], pattern.get("status")) for pattern in rule.get("onPodConditions") or ()}
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) in patterns:
            return f"Pod {where} has condition {condition['type']}"
    return ""


def _exit_codes(states: Iterable[Obj]) -> Iterable[tuple[str, int]]:
    for state in states:
        code = ((state.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if code:
            yield state.get("name", ""), code


def _fits(code: int, wanted: Obj) -> bool:
    listed = code in (wanted.get("values") or ())
    return listed if wanted.get("operator") == "In" else not listed
