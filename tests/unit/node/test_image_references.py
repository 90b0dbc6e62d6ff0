from __future__ import annotations

import pytest

from kubelite.node.image_references import default_policy, parse_error, registry_of

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("httpd", ""),
        ("httpd:2.4", ""),
        (f"httpd@{DIGEST}", ""),
        (f"localhost:5000/a/b_c:V1@{DIGEST}", ""),
        ("Httpd", "invalid reference format: repository name (library/Httpd) must be lowercase"),
        ("quay.io/Some/app:1", "invalid reference format: repository name (Some/app) must be lowercase"),
        ("a" * 64, f"invalid repository name ({'a' * 64}), cannot specify 64-byte hexadecimal strings"),
        ("FAILED_IMAGE", "invalid reference format: repository name (library/FAILED_IMAGE) must be lowercase"),
        ("not a name", "invalid reference format"),
        ("httpd:", "invalid reference format"),
        ("httpd@sha256:12", "invalid reference format"),
    ],
)
def test_names_that_are_none_say_why(reference: str, problem: str) -> None:
    assert parse_error(reference) == problem


@pytest.mark.parametrize(
    ("reference", "policy", "registry"),
    [
        ("httpd", "Always", "docker.io"),
        ("httpd:latest", "Always", "docker.io"),
        ("user/httpd:2", "IfNotPresent", "docker.io"),
        ("quay.io:443/httpd", "Always", "quay.io:443"),
        (f"localhost/httpd@{DIGEST}", "IfNotPresent", "localhost"),
    ],
)
def test_policy_and_registry_follow_from_the_name(reference: str, policy: str, registry: str) -> None:
    assert (default_policy(reference), registry_of(reference)) == (policy, registry)
