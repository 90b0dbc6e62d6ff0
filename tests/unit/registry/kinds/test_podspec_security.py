"""What is wrong with security contexts: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import errors_of, pod

CONTEXTS = [
    (
        pod(securityContext={"runAsUser": -1}),
        ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    (
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        [
            "spec.securityContext.seccompProfile.localhostProfile: Required value: "
            "must be set when seccomp type is Localhost"
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), CONTEXTS)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected
