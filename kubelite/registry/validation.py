"""Rules that many kinds share: names, labels, annotations, selectors, quantities, ports, addresses, metadata.

Used by the declarations in `kubelite.registry.kinds` and, for `metadata`, by the registry itself. Rules and messages
follow apimachinery's `util/validation` and `api/validation`. A rule about one text gives messages (none: it is fine);
a rule about a field gives FieldErrors with its path.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, required, too_long
from kubelite.objects import quantity as quantities
from kubelite.objects.addresses import parse_address
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
ANNOTATIONS_LIMIT = 256 * 1024

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_UNDERSCORED_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED = rf"{_UNDERSCORED_LABEL}(\.{_UNDERSCORED_LABEL})*"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_ALNUM_ENDS = "and must start and end with an alphanumeric character"
_LABEL_TEXT = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ALNUM_ENDS}"
_SUBDOMAIN_TEXT = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ALNUM_ENDS}"
)
_WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_NAME_PART_TEXT = f"must consist of alphanumeric characters, '-', '_' or '.', {_ALNUM_ENDS}"
_LABEL_VALUE_TEXT = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ALNUM_ENDS}"
)
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"


def pattern_message(text: str, pattern: str, *examples: str) -> str:
    """How upstream says that a pattern doesn't match."""
    shown = "e.g. " * bool(examples) + " or ".join(f"'{example}', " for example in examples)
    return f"{text} ({shown}regex used for validation is '{pattern}')"


def longest(limit: int) -> str:
    return f"must be no more than {limit} characters"


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def _too_long(value: str, limit: int) -> list[str]:
    return [longest(limit)] if len(value.encode()) > limit else []


def dns_label(value: str) -> list[str]:
    messages = _too_long(value, 63)
    if not re.fullmatch(_LABEL, value):
        if re.fullmatch(_SUBDOMAIN, value):
            return [*messages, "must not contain dots"]
        messages.append(pattern_message(_LABEL_TEXT, _LABEL, "my-name", "123-abc"))
    return messages


def dns_subdomain(value: str) -> list[str]:
    messages = _too_long(value, 253)
    if not re.fullmatch(_SUBDOMAIN, value):
        messages.append(pattern_message(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com"))
    return messages


def search_path(value: str) -> list[str]:
    """Freer than a subdomain: domains of SRV records begin with underscores, and the root is a path too."""
    if value == ".":
        return []
    name = value.removesuffix(".")
    messages = _too_long(name, 253)
    if not re.fullmatch(_UNDERSCORED, name):
        text = _SUBDOMAIN_TEXT.replace("'-' or", "'-', '_' or")
        messages.append(pattern_message(text, _UNDERSCORED, "example.com"))
    return messages


def dns_1035_label(value: str) -> list[str]:
    messages = _too_long(value, 63)
    if not re.fullmatch(_LABEL_1035, value):
        messages.append(pattern_message(_LABEL_1035_TEXT, _LABEL_1035, "my-name", "abc-123"))
    return messages


def path_segment_name(value: str) -> list[str]:
    return [f"may not be '{value}'"] if value in (".", "..") else path_segment_prefix(value)


def path_segment_prefix(value: str) -> list[str]:
    return [f"may not contain '{text}'" for text in ("/", "%") if text in value]


def qualified_name(value: str) -> list[str]:
    """A label key, an annotation key, a finalizer: `[prefix/]name`."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        text = pattern_message(f"a qualified name {_NAME_PART_TEXT}", _NAME_PART, "MyName", "my.name", "123-abc")
        return [f"{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    messages = []
    if slash and not prefix:
        messages.append("prefix part must be non-empty")
    elif slash:
        messages += [f"prefix part {message}" for message in dns_subdomain(prefix)]
    if not name:
        messages.append("name part must be non-empty")
    messages += [f"name part {message}" for message in _too_long(name, 63)]
    if not re.fullmatch(_NAME_PART, name):
        messages.append("name part " + pattern_message(_NAME_PART_TEXT, _NAME_PART, "MyName", "my.name", "123-abc"))
    return messages


def label_value(value: str) -> list[str]:
    messages = _too_long(value, 63)
    pattern = f"({_NAME_PART})?"
    if not re.fullmatch(pattern, value):
        messages.append(pattern_message(_LABEL_VALUE_TEXT, pattern, "MyValue", "my_value", "12345"))
    return messages


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    messages = _too_long(value, 253)
    if not re.fullmatch(_CONFIG_KEY, value):
        messages.append(pattern_message(_CONFIG_KEY_TEXT, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        messages.append(f"must not be '{value}'")
    elif value.startswith(".."):
        messages.append("must not start with '..'")
    return messages


def port_name(value: str) -> list[str]:
    """A name of a container's port, which a targetPort may give (an IANA service name)."""
    rules = (
        (len(value) <= 15, longest(15)),
        (re.fullmatch("[-a-z0-9]+", value), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        (re.search("[a-z]", value), "must contain at least one letter (a-z)"),
        ("--" not in value, "must not contain consecutive hyphens"),
        (not value.startswith("-") and not value.endswith("-"), "must not begin or end with a hyphen"),
    )
    return [message for holds, message in rules if not holds]


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [between(1, 65535)]


def ip_address(value: str) -> list[str]:
    try:
        parse_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr(value: str) -> list[str]:
    try:
        ip_network(value if "/" in value else "", strict=False)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return []


def domain_name(value: str) -> list[str]:
    """A host as Ingresses name it: `*.` in front stands for any one label."""
    if "*" not in value:
        return dns_subdomain(value)
    messages = _too_long(value, 253)
    if not re.fullmatch(_WILDCARD, value):
        messages.append(pattern_message(_WILDCARD_TEXT, _WILDCARD, "*.example.com"))
    return messages


def values(path: str, value: Any, messages: Iterable[str]) -> list[FieldError]:
    """Messages about one value as errors of one field."""
    return [invalid_value(path, value, message) for message in messages]


def labels(path: str, mapping: Mapping[str, str] | None) -> list[FieldError]:
    errors = []
    for key, value in (mapping or {}).items():
        errors += values(path, key, qualified_name(key)) + values(path, value, label_value(value))
    return errors


def annotations(path: str, mapping: Mapping[str, str] | None) -> list[FieldError]:
    mapping = mapping or {}
    errors = [error for key in mapping for error in values(path, key, qualified_name(key.lower()))]
    if sum(len(key.encode()) + len(value.encode()) for key, value in mapping.items()) > ANNOTATIONS_LIMIT:
        errors.append(too_long(path, ANNOTATIONS_LIMIT))
    return errors


def label_selector(path: str, selector: Obj | None) -> list[FieldError]:
    """metav1.LabelSelector."""
    if selector is None:
        return []
    errors = labels(f"{path}.matchLabels", selector.get("matchLabels"))
    for index, term in enumerate(selector.get("matchExpressions") or ()):
        errors += _expression(f"{path}.matchExpressions[{index}]", term)
    return errors


def _expression(path: str, term: Obj) -> list[FieldError]:
    errors = []
    given = term.get("values") or []
    match term.get("operator", ""):
        case "In" | "NotIn":
            if not given:
                errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist":
            if given:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden_field(f"{path}.values", text))
        case operator:
            errors.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
    errors += values(f"{path}.key", term.get("key", ""), qualified_name(term.get("key", "")))
    for index, value in enumerate(given):
        errors += values(f"{path}.values[{index}]", value, label_value(value))
    return errors


def quantity(path: str, value: str | int | float) -> list[FieldError]:
    """A resource quantity that isn't negative."""
    try:
        amount = quantities.parse(value)
    except ValueError as error:
        return [invalid_value(path, value, str(error))]
    return [] if amount >= 0 else [invalid_value(path, str(value), NOT_NEGATIVE)]


def not_negative(path: str, value: int | None) -> list[FieldError]:
    return [invalid_value(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def unchanged(path: str, new: Any, old: Any) -> list[FieldError]:
    """A field that no update may touch; nothing and empty are the same."""
    return [] if (new or None) == (old or None) else [invalid_value(path, new, IMMUTABLE)]


_NAME_RULES: dict[str, Callable[[str], list[str]]] = {
    "subdomain": dns_subdomain,
    "label": dns_label,
    "service": dns_1035_label,
    "path": path_segment_name,
}


def object_name(rule: str, name: str) -> list[str]:
    """Messages about the name of an object whose kind has this `name_rule`."""
    return _NAME_RULES[rule](name)


def _name_prefix(rule: str, prefix: str) -> list[str]:
    if rule == "path":
        return path_segment_prefix(prefix)
    # A random suffix follows, so a dash at the end is fine.
    masked = prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
    return object_name(rule, masked)


def metadata(obj: Obj, kind: Kind, old: Obj | None) -> list[FieldError]:
    """Everything about `metadata` that holds for all kinds; names have been generated by now."""
    meta = obj["metadata"]
    errors = _identity(meta, kind) if old is None else _identity_kept(meta, old["metadata"])
    generation = meta.get("generation") or 0
    errors += not_negative("metadata.generation", generation)
    errors += labels("metadata.labels", meta.get("labels"))
    errors += annotations("metadata.annotations", meta.get("annotations"))
    errors += _owner_references(meta.get("ownerReferences") or ())
    return errors + _finalizers(meta.get("finalizers") or (), kind)


def _identity(meta: Obj, kind: Kind) -> list[FieldError]:
    prefix, name, namespace = (meta.get(key) or "" for key in ("generateName", "name", "namespace"))
    errors = values("metadata.generateName", prefix, _name_prefix(kind.name_rule, prefix)) if prefix else []
    if name:
        errors += values("metadata.name", name, object_name(kind.name_rule, name))
    else:
        errors.append(required("metadata.name", "name or generateName is required"))
    if not kind.namespaced:
        return errors + ([forbidden_field("metadata.namespace", "not allowed on this type")] if namespace else [])
    if not namespace:
        return [*errors, required("metadata.namespace")]
    return errors + values("metadata.namespace", namespace, dns_label(namespace))


def metadata_of_status(obj: Obj, old: Obj) -> list[FieldError]:
    """Of an update of the status, which may change little else: what stays has been looked at before."""
    errors = []
    for key, rule in (("labels", labels), ("annotations", annotations)):
        if (given := obj["metadata"].get(key)) != old["metadata"].get(key):
            errors += rule(f"metadata.{key}", given)
    return errors


_KEPT = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def _identity_kept(meta: Obj, old: Obj) -> list[FieldError]:
    errors = []
    if old.get("deletionTimestamp"):
        added = sorted(set(meta.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            shown = ", ".join(f'"{name}"' for name in added)
            text = "no new finalizers can be added if the object is being deleted, found new finalizers"
            errors.append(forbidden_field("metadata.finalizers", f"{text} []string{{{shown}}}"))
    new_generation = meta.get("generation") or 0
    if new_generation < (old.get("generation") or 0):
        errors.append(invalid_value("metadata.generation", new_generation, "must not be decremented"))
    for key in _KEPT:
        errors += unchanged(f"metadata.{key}", meta.get(key), old.get(key))
    return errors


_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def finalizer_names(path: str, names: Sequence[str]) -> list[FieldError]:
    """Of a namespace's spec."""
    errors = [error for i, name in enumerate(names) for error in values(f"{path}[{i}]", name, qualified_name(name))]
    return errors + _standard_or_qualified(path, names)


def _standard_or_qualified(path: str, names: Sequence[str]) -> list[FieldError]:
    text = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid_value(f"{path}[{index}]", name, text)
        for index, name in enumerate(names)
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def _finalizers(names: Sequence[str], kind: Kind) -> list[FieldError]:
    """Objects of custom kinds, and their definitions, may have any qualified name; others a few without a domain."""
    path = "metadata.finalizers"
    errors = [error for name in names for error in values(path, name, qualified_name(name))]
    if {"orphan", "foregroundDeletion"} <= set(names):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid_value(path, list(names), text))
    lenient = kind.structural is not None or kind.group == "apiextensions.k8s.io"
    return errors if lenient else errors + _standard_or_qualified(path, names)


def _owner_references(references: Sequence[Obj]) -> list[FieldError]:
    errors = []
    manager = ""
    for index, reference in enumerate(references):
        errors += _owner_reference(f"metadata.ownerReferences[{index}]", reference)
        if reference.get("controller"):
            current = f"{reference.get('kind', '')}/{reference.get('name', '')}"
            if manager:
                text = 'Only one reference can have Controller set to true. Found "true" in references for'
                path = "metadata.ownerReferences"
                errors.append(invalid_value(path, list(references), f"{text} {manager} and {current}"))
            else:
                manager = current
    return errors


def _owner_reference(path: str, reference: Obj) -> list[FieldError]:
    errors = []
    version = reference.get("apiVersion") or ""
    if version and (version.count("/") > 1 or version.endswith("/")):
        text = "must be <group>/<version> or <version>"
        errors.append(invalid_value(f"{path}.apiVersion", version, text))
    for key in ("apiVersion", "kind", "name", "uid"):
        if not reference.get(key):
            errors.append(required(f"{path}.{key}", "must not be empty"))
    if (version, reference.get("kind")) == ("v1", "Event"):
        errors.append(invalid_value(path, reference, "/v1, Kind=Event is disallowed from being an owner"))
    return errors
