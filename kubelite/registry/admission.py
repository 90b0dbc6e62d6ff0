"""Admission of objects that are valid in themselves: the limits of their namespace, and last of all its quotas.

Called by the registry right before it stores what was created or updated; what an object needs before it is looked at
is its kind's own `admit`.
"""

from __future__ import annotations

from datetime import datetime

from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind, Reader
from kubelite.registry.kinds import limitrange_admission, resourcequota_admission


def check(kind: Kind, new: Obj, old: Obj | None, reader: Reader, now: datetime) -> None:
    """Forbidden when a LimitRange or a ResourceQuota says no."""
    limitrange_admission.check(kind.resource, new, old, reader)
    resourcequota_admission.check(kind, new, old, reader, now)
