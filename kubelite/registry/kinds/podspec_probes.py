"""Rules about probes and lifecycle hooks; after upstream's `validateProbe`, `validateHandler` and `validateLifecycle`."""

from __future__ import annotations

import re
from collections.abc import Callable

from kubelite.errors import forbidden_field, invalid_value, required
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_rules import Errors, one_of, port, required_fields
from kubelite.registry.validation import not_negative, pattern_message

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

_SECONDS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER = "[-A-Za-z0-9]+"
_HEADER_TEXT = "a valid HTTP header must consist of alphanumeric characters or '-'"


def probe(path: str, kind: str, given: Obj | None) -> Errors:
    """A container's probe; `kind` is its field."""
    if given is None:
        return []
    errors = _handler(path, given, _PROBE_HANDLERS)
    for name in _SECONDS:
        errors += not_negative(f"{path}.{name}", given.get(name))
    grace = given.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid_value(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind == "readinessProbe":
        if grace is not None:
            text = "must not be set for readinessProbes"
            errors.append(invalid_value(f"{path}.terminationGracePeriodSeconds", grace, text))
    elif given.get("successThreshold") != 1:
        errors.append(invalid_value(f"{path}.successThreshold", given.get("successThreshold"), "must be 1"))
    return errors


def lifecycle(path: str, given: Obj | None, grace: int) -> Errors:
    """A container's postStart and preStop; `grace` is the pod's, which a sleep must fit into."""
    errors: Errors = []
    handlers = _ACTIONS | {"sleep": lambda at, action: _sleep(at, action, grace)}
    for hook in ("postStart", "preStop"):
        handler = (given or {}).get(hook)
        if handler is not None:
            errors += _handler(f"{path}.{hook}", handler, handlers)
    return errors


def _handler(path: str, given: Obj, rules: dict[str, Callable[[str, Obj], Errors]]) -> Errors:
    chosen = [name for name in rules if given.get(name) is not None]
    if not chosen:
        return [required(path, "must specify a handler type")]
    first, *others = chosen
    text = "may not specify more than 1 handler type"
    return rules[first](f"{path}.{first}", given[first]) + [forbidden_field(f"{path}.{name}", text) for name in others]


def _exec(path: str, action: Obj) -> Errors:
    return required_fields(path, action, ("command",))


def _http_get(path: str, action: Obj) -> Errors:
    errors = required_fields(path, action, ("path",))
    errors += port(f"{path}.port", action.get("port", 0))
    errors += one_of(f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        if not re.fullmatch(_HEADER, name):
            text = pattern_message(_HEADER_TEXT, _HEADER, "X-Header-Name")
            errors.append(invalid_value(f"{path}.httpHeaders", name, text))
    return errors


def _tcp_socket(path: str, action: Obj) -> Errors:
    return port(f"{path}.port", action.get("port", 0))


def _sleep(path: str, action: Obj, grace: int) -> Errors:
    seconds = action.get("seconds", 0)
    if 0 < seconds <= grace:
        return []
    text = (
        f"must be greater than 0 and less than terminationGracePeriodSeconds ({grace}). "
        "Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep."
    )
    return [invalid_value(path, seconds, text)]


_ACTIONS: dict[str, Callable[[str, Obj], Errors]] = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket}
_PROBE_HANDLERS = _ACTIONS | {"grpc": _tcp_socket}
