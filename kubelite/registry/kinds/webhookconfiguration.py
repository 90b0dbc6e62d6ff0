"""Webhook configurations: which requests somebody else's server has a say in. Asked in `kubelite.registry.webhooks`.

Defaults and validation after upstream's `pkg/apis/admissionregistration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age

REVIEW_VERSIONS = ("v1", "v1beta1")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_FAILURE_POLICIES = ("Fail", "Ignore")
_MATCH_POLICIES = ("Equivalent", "Exact")
_REINVOCATION_POLICIES = ("IfNeeded", "Never")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_HTTPS = "; desired format: https://host[/path]"
_Faults = Iterator[FieldError]


def _default(configuration: Obj) -> None:
    for webhook in configuration.get("webhooks") or ():
        webhook["failurePolicy"] = webhook.get("failurePolicy") or "Fail"
        webhook["matchPolicy"] = webhook.get("matchPolicy") or "Equivalent"
        webhook["timeoutSeconds"] = 10 if webhook.get("timeoutSeconds") is None else webhook["timeoutSeconds"]
        for selector in ("namespaceSelector", "objectSelector"):
            webhook[selector] = webhook.get(selector) or {}
        for rule in webhook.get("rules") or ():
            rule["scope"] = rule.get("scope") or "*"
        default_client(webhook.get("clientConfig") or {})


def default_client(config: Obj) -> None:
    """The port of its service: of a WebhookClientConfig, and of an APIService's spec, which is much like one."""
    service = config.get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443


def _default_mutating(configuration: Obj) -> None:
    _default(configuration)
    for webhook in configuration.get("webhooks") or ():
        webhook["reinvocationPolicy"] = webhook.get("reinvocationPolicy") or "Never"


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    found: list[FieldError] = []
    names: set[str] = set()
    for index, webhook in enumerate(new.get("webhooks") or ()):
        path, name = f"webhooks[{index}]", webhook.get("name") or ""
        found += _webhook(path, webhook)
        if name and name in names:
            found.append(duplicate(f"{path}.name", name))
        names.add(name)
    return found


def _webhook(path: str, webhook: Obj) -> _Faults:
    yield from _qualified(f"{path}.name", webhook.get("name") or "")
    for index, rule in enumerate(webhook.get("rules") or ()):
        yield from _rule(f"{path}.rules[{index}]", rule)
    yield from _choice(path, webhook, "failurePolicy", _FAILURE_POLICIES)
    yield from _choice(path, webhook, "matchPolicy", _MATCH_POLICIES)
    if webhook.get("sideEffects") is None:
        yield required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    yield from _choice(path, webhook, "sideEffects", _SIDE_EFFECTS)
    if not 1 <= webhook["timeoutSeconds"] <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        yield invalid_value(f"{path}.timeoutSeconds", webhook["timeoutSeconds"], text)
    for selector in ("namespaceSelector", "objectSelector"):
        yield from validation.label_selector(f"{path}.{selector}", webhook[selector])
    yield from client(f"{path}.clientConfig", webhook.get("clientConfig") or {})
    if webhook.get("matchConditions"):
        yield forbidden_field(f"{path}.matchConditions", "expressions (CEL) are not supported by this server")
    yield from _choice(path, webhook, "reinvocationPolicy", _REINVOCATION_POLICIES)
    yield from review_versions(f"{path}.admissionReviewVersions", webhook.get("admissionReviewVersions") or [])


def _choice(path: str, webhook: Obj, name: str, choices: Sequence[str]) -> _Faults:
    if webhook.get(name) is not None and webhook[name] not in choices:
        yield not_supported(f"{path}.{name}", webhook[name], choices)


def _qualified(path: str, name: str) -> _Faults:
    if not name:
        yield required(path)
    elif messages := validation.dns_subdomain(name):
        yield from validation.values(path, name, messages)
    elif name.count(".") < 2:
        yield invalid_value(path, name, "should be a domain with at least three segments separated by dots")


def _rule(path: str, rule: Obj) -> _Faults:
    operations = rule.get("operations") or []
    if not operations:
        yield required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        yield _alone(f"{path}.operations", operations, "operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            yield not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS)
    for key, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        given = rule.get(key) or []
        if not given:
            yield required(f"{path}.{key}")
        if len(given) > 1 and "*" in given:
            yield _alone(f"{path}.{key}", given, what)
    for index, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            yield required(f"{path}.apiVersions[{index}]")
    yield from _resources(f"{path}.resources", rule.get("resources") or [])
    yield from _choice(path, rule, "scope", _SCOPES)


def _alone(path: str, given: Sequence[str], what: str) -> FieldError:
    return invalid_value(path, given, f"if '*' is present, must not specify other {what}")


def _resources(path: str, given: Sequence[str]) -> _Faults:
    """`pods`, `pods/status`, `pods/*`, `*/scale`, `*`, `*/*`: none may stand beside what includes it."""
    if not given:
        yield required(path)
    of_resource: set[str] = set()
    of_subresource: set[str] = set()
    for index, text in enumerate(given):
        resource, slash, subresource = text.partition("/")
        if not text:
            yield required(f"{path}[{index}]")
        if not slash:
            continue
        if resource in of_resource:
            yield invalid_value(f"{path}[{index}]", text, f"if '{resource}/*' is present, must not specify {text}")
        if subresource in of_subresource:
            yield invalid_value(f"{path}[{index}]", text, f"if '*/{subresource}' is present, must not specify {text}")
        if subresource == "*":
            of_resource.add(resource)
        if resource == "*":
            of_subresource.add(subresource)
    if "*/*" in given and len(given) > 1:
        yield invalid_value(path, given, "if '*/*' is present, must not specify other resources")
    if "*" in given and any(text != "*" and "/" not in text for text in given):
        yield invalid_value(path, given, "if '*' is present, must not specify other resources without subresources")


def client(path: str, config: Obj) -> _Faults:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(f"{path}.url", url)
    elif service is not None:
        yield from _service(f"{path}.service", service)


def _url(path: str, url: str) -> _Faults:
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield invalid_value(path, parts.scheme, f"'https' is the only allowed URL scheme{_HTTPS}")
    if not parts.netloc:
        yield invalid_value(path, parts.netloc, f"host must be provided{_HTTPS}")
    if parts.username is not None:
        yield invalid_value(path, parts.username, "user information is not permitted in the URL")
    if parts.fragment:
        yield invalid_value(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid_value(path, parts.query, "query parameters are not permitted in the URL")


def _service(path: str, service: Obj) -> _Faults:
    for key in ("name", "namespace"):
        if not service.get(key):
            yield required(f"{path}.{key}", f"service {key} is required")
    if messages := validation.port_number(service["port"]):
        yield invalid_value(f"{path}.port", service["port"], f"port is not valid: {', '.join(messages)}")
    given = service.get("path") or "/"
    if given == "/":
        return
    if not given.startswith("/"):
        yield invalid_value(f"{path}.path", given, "must start with a '/'")
    for index, segment in enumerate(given.strip("/").split("/") if given != "//" else [""]):
        messages = validation.dns_subdomain(segment) if segment else ["may not be empty"]
        for message in messages:
            yield invalid_value(f"{path}.path", given, f"segment[{index}]{':' if segment else ''} {message}")


def review_versions(path: str, versions: Sequence[str]) -> _Faults:
    known = ", ".join(REVIEW_VERSIONS)
    if not versions:
        yield required(path, f"must specify one of {known}")
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield invalid_value(f"{path}[{index}]", version, "duplicate version")
        else:
            yield from validation.values(f"{path}[{index}]", version, validation.dns_1035_label(version))
    if not set(versions) & set(REVIEW_VERSIONS):
        yield invalid_value(path, versions, f"must include at least one of {known}")


def _row(configuration: Obj, now: datetime) -> list[Any]:
    return [meta.name(configuration), len(configuration.get("webhooks") or ()), age(configuration, now)]


def _kind(kind: str, default: Callable[[Obj], None]) -> Kind:
    return Kind(
        group="admissionregistration.k8s.io",
        version="v1",
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=False,
        categories=("api-extensions",),
        columns=(NAME_COLUMN, Column("Webhooks", "integer", description="How many webhooks it has."), AGE_COLUMN),
        row=_row,
        default=default,
        validate=_validate,
        counts_generations=True,
    )


MUTATING_WEBHOOK_CONFIGURATION = _kind("MutatingWebhookConfiguration", _default_mutating)
VALIDATING_WEBHOOK_CONFIGURATION = _kind("ValidatingWebhookConfiguration", _default)
