"""Fields of features that v1.32 has switched off unless told otherwise: they are dropped, as upstream's
`DropDisabledPodFields` does. Called by the defaults of pod specs.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.objects.meta import Obj

_OF_SPEC = ("hostUsers", "resourceClaims", "resources")  # UserNamespacesSupport, dynamic allocation, PodLevelResources
_OF_CONTEXT = ("supplementalGroupsPolicy", "seLinuxChangePolicy")
_DEFAULT_PROC_MOUNT = "Default"


def drop_gated_fields(spec: Obj) -> None:
    for name in _OF_SPEC:
        spec.pop(name, None)
    for name in _OF_CONTEXT:
        (spec.get("securityContext") or {}).pop(name, None)
    for container in _containers(spec):
        container.pop("resizePolicy", None)  # InPlacePodVerticalScaling
        (container.get("resources") or {}).pop("claims", None)
        context = container.get("securityContext") or {}
        if context.get("procMount") is not None:
            context["procMount"] = _DEFAULT_PROC_MOUNT
    for volume in spec.get("volumes") or ():
        volume.pop("image", None)  # ImageVolume
        for source in (volume.get("projected") or {}).get("sources") or ():
            source.pop("clusterTrustBundle", None)


def _containers(spec: Obj) -> Iterator[Obj]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind) or ()
