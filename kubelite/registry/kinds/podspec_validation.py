"""Rules about a pod spec as a whole and about pod templates; after upstream's `ValidatePodSpec` and `ValidatePodTemplateSpec`.

Called by Pod and by every kind with a template. The parts have modules of their own, `podspec_*`.
"""

from __future__ import annotations

from kubelite.errors import forbidden_field, invalid_value, required
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.go_notation import go_strings
from kubelite.registry.kinds.podspec_annotations import pod_annotations
from kubelite.registry.kinds.podspec_containers import (
    Surroundings,
    containers,
    ephemeral_containers,
    init_containers,
)
from kubelite.registry.kinds.podspec_rules import MAX_INT32, Errors, one_of, within
from kubelite.registry.kinds.podspec_scheduling import affinity, scheduling_gates, spread_constraints, tolerations
from kubelite.registry.kinds.podspec_security import pod_security_context
from kubelite.registry.kinds.podspec_volumes import volumes
from kubelite.registry.kinds.podspec_windows import operating_system

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")

_MAX_NAMESERVERS = 3
_MAX_SEARCHES = 32
_MAX_SEARCH_CHARACTERS = 2048


def pod_spec(path: str, spec: Obj, pod_name: str = "") -> Errors:
    """`pod_name` is empty in templates, where some names aren't known yet."""
    known, errors = volumes(f"{path}.volumes", spec.get("volumes") or (), pod_name)
    claims = {claim["name"] for claim in spec.get("resourceClaims") or () if claim.get("name")}
    pod = Surroundings(known, claims, spec.get("terminationGracePeriodSeconds") or 0)
    regular = spec.get("containers") or ()
    errors += containers(f"{path}.containers", regular, pod)
    errors += init_containers(f"{path}.initContainers", spec.get("initContainers") or (), regular, pod)
    errors += ephemeral_containers(f"{path}.ephemeralContainers", spec, pod)
    errors += _host_network_ports(f"{path}.containers", spec, is_pod=bool(pod_name))
    errors += one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    errors += one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    errors += validation.labels(f"{path}.nodeSelector", spec.get("nodeSelector"))
    errors += pod_security_context(f"{path}.securityContext", spec)
    errors += operating_system(path, spec)
    errors += affinity(f"{path}.affinity", spec.get("affinity") or {})
    errors += _dns_config(f"{path}.dnsConfig", spec)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        where = f"{path}.readinessGates[{index}].conditionType"
        errors += validation.values(where, kind, validation.qualified_name(kind))
    errors += scheduling_gates(f"{path}.schedulingGates", spec.get("schedulingGates") or ())
    errors += spread_constraints(f"{path}.topologySpreadConstraints", spec.get("topologySpreadConstraints") or ())
    return errors + _names_and_limits(path, spec)


def _names_and_limits(path: str, spec: Obj) -> Errors:
    errors: Errors = []
    for name in ("serviceAccountName", "nodeName"):
        if value := spec.get(name):
            errors += validation.values(f"{path}.{name}", value, validation.dns_subdomain(value))
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= MAX_INT32:
        text = validation.between(1, MAX_INT32)
        errors.append(invalid_value(f"{path}.activeDeadlineSeconds", seconds, text))
    for name in ("hostname", "subdomain"):
        if value := spec.get(name):
            errors += validation.values(f"{path}.{name}", value, validation.dns_label(value))
    errors += tolerations(f"{path}.tolerations", spec.get("tolerations") or ())
    errors += _host_aliases(f"{path}.hostAliases", spec)
    for name in ("priorityClassName", "runtimeClassName"):
        if value := spec.get(name):
            errors += validation.values(f"{path}.{name}", value, validation.dns_subdomain(value))
    errors += within(f"{path}.preemptionPolicy", spec.get("preemptionPolicy"), ("PreemptLowerPriority", "Never"))
    for name, amount in (spec.get("overhead") or {}).items():
        errors += validation.quantity(f"{path}.overhead[{name}]", amount)
    if (system := spec.get("os")) is not None:
        if not system.get("name"):
            errors.append(required(f"{path}.os.name", "cannot be empty"))
        else:
            errors += within(f"{path}.os", system["name"], ("linux", "windows"))
    return errors


def _host_network_ports(path: str, spec: Obj, *, is_pod: bool) -> Errors:
    if not spec.get("hostNetwork"):
        return []
    errors: Errors = []
    for index, container in enumerate(spec.get("containers") or ()):
        for number, entry in enumerate(container.get("ports") or ()):
            host_port = entry.get("hostPort") or 0
            if (is_pod or host_port) and host_port != entry.get("containerPort"):
                text = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid_value(f"{path}[{index}].ports[{number}].hostPort", host_port, text))
    return errors


def _dns_config(path: str, spec: Obj) -> Errors:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", text)]
    config = config or {}
    errors: Errors = []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > _MAX_NAMESERVERS:
        text = f"must not have more than {_MAX_NAMESERVERS} nameservers"
        errors.append(invalid_value(f"{path}.nameservers", go_strings(servers), text))
    for index, address in enumerate(servers):
        errors += validation.values(f"{path}.nameservers[{index}]", address, validation.ip_address(address))
    if len(searches) > _MAX_SEARCHES:
        text = f"must not have more than {_MAX_SEARCHES} search paths"
        errors.append(invalid_value(f"{path}.searches", go_strings(searches), text))
    if len(" ".join(searches)) > _MAX_SEARCH_CHARACTERS:
        text = f"must not have more than {_MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        errors.append(invalid_value(f"{path}.searches", go_strings(searches), text))
    for index, search in enumerate(searches):
        errors += validation.values(f"{path}.searches[{index}]", search, validation.search_path(search))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _host_aliases(path: str, spec: Obj) -> Errors:
    errors: Errors = []
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        address = alias.get("ip") or ""
        errors += validation.values(f"{path}[{index}].ip", address, validation.ip_address(address))
        for number, name in enumerate(alias.get("hostnames") or ()):
            where = f"{path}[{index}].hostnames[{number}]"
            errors += validation.values(where, name, validation.dns_subdomain(name))
    return errors


def template_spec(path: str, template: Obj) -> Errors:
    """A PodTemplateSpec. Upstream gives paths without `metadata` for labels and annotations."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    errors = validation.labels(f"{path}.labels", metadata.get("labels"))
    errors += validation.annotations(f"{path}.annotations", metadata.get("annotations"))
    errors += pod_annotations(f"{path}.annotations", metadata.get("annotations"), spec)
    errors += pod_spec(f"{path}.spec", spec)
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        errors.append(forbidden_field(f"{path}.spec.ephemeralContainers", text))
    return errors
