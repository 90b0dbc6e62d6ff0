"""Rules about volumes and about where containers mount them; after upstream's `ValidateVolumes` and `ValidateVolumeMounts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kubelite.errors import duplicate, forbidden_field, invalid_value, not_found_field, required
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.persistentvolume import HOST_PATH_TYPES
from kubelite.registry.kinds.persistentvolumeclaim import claim_spec_errors
from kubelite.registry.kinds.podspec_env import downward_file
from kubelite.registry.kinds.podspec_rules import (
    Errors,
    descending_path,
    file_mode,
    file_path,
    no_backsteps,
    required_fields,
    within,
)

Rule = Callable[[str, Obj], Errors]

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE_READ_ONLY = ("Disabled", "Enabled", "IfPossible")
_MORE_THAN_ONE = "may not specify more than 1 volume type"
_TOKEN_SECONDS = (10 * 60, 2**32)


def volumes(path: str, given: Sequence[Obj], pod_name: str) -> tuple[dict[str, Obj], Errors]:
    """The volumes that can be mounted, by name, and what is wrong with the others."""
    errors: Errors = []
    known: dict[str, Obj] = {}
    created = {f"{pod_name}-{volume.get('name')}" for volume in given if pod_name and volume.get("ephemeral")}
    for index, volume in enumerate(given):
        at, name = f"{path}[{index}]", volume.get("name") or ""
        found = _source(at, volume)
        found += validation.values(f"{at}.name", name, validation.dns_label(name)) if name else [required(f"{at}.name")]
        if name in known:
            found.append(duplicate(f"{at}.name", name))
        if not found:
            known[name] = volume
        errors += found
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid_value(f"{at}.persistentVolumeClaim.claimName", claim, text))
    return known, errors


def _source(path: str, volume: Obj) -> Errors:
    given = [name for name in _SOURCES if volume.get(name) is not None]
    if not given:
        return [required(path, "must specify a volume type")]
    first, *others = given
    errors = _SOURCES[first](f"{path}.{first}", volume[first])
    return errors + [forbidden_field(f"{path}.{name}", _MORE_THAN_ONE) for name in others]


def _empty_dir(path: str, source: Obj) -> Errors:
    limit = source.get("sizeLimit")
    if limit is None or not validation.quantity(path, limit):
        return []
    return [forbidden_field(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]


def _host_path(path: str, source: Obj) -> Errors:
    if not source.get("path"):
        return [required(f"{path}.path")]
    return no_backsteps(f"{path}.path", source["path"]) + within(f"{path}.type", source.get("type"), HOST_PATH_TYPES)


def _nfs(path: str, source: Obj) -> Errors:
    errors = required_fields(path, source, ("server", "path"))
    if not (source.get("path") or "").startswith("/"):
        errors.append(invalid_value(f"{path}.path", source.get("path") or "", "must be an absolute path"))
    return errors


def _keys(name: str) -> Rule:
    """Files from a ConfigMap or a Secret, which the field `name` names."""

    def rule(path: str, source: Obj) -> Errors:
        errors = required_fields(path, source, (name,))
        errors += file_mode(f"{path}.defaultMode", source.get("defaultMode"))
        return errors + _items(path, source)

    return rule


def _items(path: str, source: Obj) -> Errors:
    errors: Errors = []
    for index, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{index}]"
        errors += required_fields(at, item, ("key", "path"))
        errors += file_path(f"{at}.path", item.get("path") or "")
        errors += file_mode(f"{at}.mode", item.get("mode"))
    return errors


def _downward_api(path: str, source: Obj) -> Errors:
    return file_mode(f"{path}.defaultMode", source.get("defaultMode")) + _downward_files(path, source)


def _downward_files(path: str, source: Obj) -> Errors:
    errors: Errors = []
    for item in source.get("items") or ():
        errors += required_fields(path, item, ("path",))
        errors += file_path(f"{path}.path", item.get("path") or "")
        errors += downward_file(path, item)
        errors += file_mode(f"{path}.mode", item.get("mode"))
    return errors


def _projected(path: str, source: Obj) -> Errors:
    errors = file_mode(f"{path}.defaultMode", source.get("defaultMode"))
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        given = [name for name in part if part[name] is not None]
        for name in given:
            errors += _projection(path, at, name, part[name])
            for item in part[name].get("items") or ():
                target = item.get("path") or ""
                if target in taken:
                    subject = target if name == "downwardAPI" else part[name].get("name", "")
                    errors.append(invalid_value(path, subject, "conflicting duplicate paths"))
                taken |= {target} if target else set()
        if len(given) > 1:
            errors.append(forbidden_field(at, f"{_MORE_THAN_ONE} per source"))
    return errors


def _projection(volume: str, path: str, name: str, part: Obj) -> Errors:
    if name in ("secret", "configMap"):
        return required_fields(f"{path}.{name}", part, ("name",)) + _items(f"{path}.{name}", part)
    if name == "downwardAPI":
        return _downward_files(f"{path}.{name}", part)
    return _token(volume, f"{path}.{name}", part) if name == "serviceAccountToken" else []


def _token(volume: str, path: str, part: Obj) -> Errors:
    errors: Errors = []
    seconds = part.get("expirationSeconds") or 0
    least, most = _TOKEN_SECONDS
    if seconds < least:
        text = "may not specify a duration less than 10 minutes"
        errors.append(invalid_value(f"{path}.expirationSeconds", seconds, text))
    if seconds > most:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid_value(f"{path}.expirationSeconds", seconds, text))
    if not part.get("path"):
        return [*errors, required(f"{volume}.path")]
    return errors + file_path(f"{volume}.path", part["path"])


def _ephemeral(path: str, source: Obj) -> Errors:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    at = f"{path}.volumeClaimTemplate"
    errors = claim_template(at, template)
    for field, value in (template.get("metadata") or {}).items():
        if field not in ("annotations", "labels") and value:
            errors.append(forbidden_field(f"{at}.metadata.{field}", "cannot be set"))
    return errors


def claim_template(path: str, template: Obj) -> Errors:
    metadata = template.get("metadata") or {}
    errors = validation.labels(f"{path}.metadata.labels", metadata.get("labels"))
    errors += validation.annotations(f"{path}.metadata.annotations", metadata.get("annotations"))
    return errors + claim_spec_errors(f"{path}.spec", template.get("spec") or {})


def _only_requires(*names: str) -> Rule:
    """A source of which only the fields that must be there are looked at."""
    return lambda path, source: required_fields(path, source, names)


# In upstream's order: the first source given is the one that counts.
_SOURCES: Mapping[str, Rule] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _only_requires("repository"),
    "gcePersistentDisk": _only_requires("pdName"),
    "awsElasticBlockStore": _only_requires("volumeID"),
    "secret": _keys("secretName"),
    "nfs": _nfs,
    "iscsi": _only_requires("targetPortal", "iqn"),
    "glusterfs": _only_requires("endpoints", "path"),
    "flocker": _only_requires(),
    "persistentVolumeClaim": _only_requires("claimName"),
    "rbd": _only_requires("monitors", "image"),
    "cinder": _only_requires("volumeID"),
    "cephfs": _only_requires("monitors"),
    "quobyte": _only_requires("registry", "volume"),
    "downwardAPI": _downward_api,
    "fc": _only_requires(),
    "flexVolume": _only_requires("driver"),
    "configMap": _keys("name"),
    "azureFile": _only_requires("secretName", "shareName"),
    "vsphereVolume": _only_requires("volumePath"),
    "photonPersistentDisk": _only_requires("pdID"),
    "portworxVolume": _only_requires("volumeID"),
    "azureDisk": _only_requires("diskName", "diskURI"),
    "storageos": _only_requires(),
    "projected": _projected,
    "scaleIO": _only_requires("gateway", "system", "volumeName"),
    "csi": _only_requires("driver"),
    "ephemeral": _ephemeral,
}


def mounts(path: str, container: Obj, known: Mapping[str, Obj]) -> Errors:
    """A container's volumeMounts, seen together with its volumeDevices."""
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices") or ()}
    errors: Errors = []
    taken: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        at = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        if name not in known:
            errors.append(not_found_field(f"{at}.name", name))
        if not target:
            errors.append(required(f"{at}.mountPath"))
        if target in taken:
            errors.append(invalid_value(f"{at}.mountPath", target, "must be unique"))
        taken.add(target)
        if name in devices:
            errors.append(invalid_value(f"{at}.name", name, "must not already exist in volumeDevices"))
        if target in devices.values():
            text = "must not already exist as a path in volumeDevices"
            errors.append(invalid_value(f"{at}.mountPath", target, text))
        errors += _mount_options(path, at, mount, container)
    return errors


def _mount_options(path: str, at: str, mount: Obj, container: Obj) -> Errors:
    errors: Errors = []
    sub_path, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    errors += descending_path(f"{path}.subPath", sub_path)
    if expression and sub_path:
        text = "subPathExpr and subPath are mutually exclusive"
        errors.append(invalid_value(f"{at}.subPathExpr", expression, text))
    errors += descending_path(f"{path}.subPathExpr", expression)
    propagation = mount.get("mountPropagation")
    errors += within(f"{path}.mountPropagation", propagation, _PROPAGATIONS)
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        text = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden_field(f"{path}.mountPropagation", text))
    return errors + _recursive_read_only(f"{path}.recursiveReadOnly", mount)


def _recursive_read_only(path: str, mount: Obj) -> Errors:
    wish = mount.get("recursiveReadOnly")
    errors = within(path, wish, _RECURSIVE_READ_ONLY)
    if errors or wish in (None, "Disabled"):
        return errors
    if not mount.get("readOnly"):
        errors.append(forbidden_field(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        text = "may only be specified when mountPropagation is None or not specified"
        errors.append(forbidden_field(path, text))
    return errors


def devices(path: str, container: Obj, known: Mapping[str, Obj]) -> Errors:
    """A container's volumeDevices: raw block devices from claims."""
    mounted = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    errors: Errors = []
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        at = f"{path}[{index}]"
        name, target = device.get("name") or "", device.get("devicePath") or ""
        errors += required_fields(at, device, ("name", "devicePath"))
        volume = known.get(name)
        if volume is None:
            errors.append(not_found_field(f"{at}.name", name))
        elif not volume.get("persistentVolumeClaim") and not volume.get("ephemeral"):
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid_value(f"{at}.name", name, text))
        for value, taken, key in ((name, names, "name"), (target, paths, "devicePath")):
            if value in taken:
                errors.append(invalid_value(f"{at}.{key}", value, "must be unique"))
            taken.add(value)
        if no_backsteps(at, target):
            errors.append(invalid_value(f"{at}.devicePath", target, "can not contain backsteps ('..')"))
        if name in mounted:
            errors.append(invalid_value(f"{at}.name", name, "must not already exist in volumeMounts"))
        if target in mounted.values():
            text = "must not already exist as a path in volumeMounts"
            errors.append(invalid_value(f"{at}.devicePath", target, text))
    return errors
