"""Pulls, synchronously, and what a failed one means. Called by docker_runtime in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import docker
from docker.errors import APIError

from kubelite.node.runtime import PullFailed, RegistryUnavailable

# How the engine words that nobody answered, as against a registry that said no.
_UNREACHABLE = (
    "dial tcp",
    "no such host",
    "connection refused",
    "i/o timeout",
    "Client.Timeout",
    "TLS handshake timeout",
    "network is unreachable",
    "server misbehaving",
    "context deadline exceeded",
    "proxyconnect",
    ": EOF",
)


def pull(
    client: docker.APIClient,
    reference: str,
    credentials: Sequence[Mapping[str, str]],
    answered: Callable[[], None],
) -> None:
    """Fetch `reference`, trying each set of credentials in turn, or the engine user's own when there are none.

    `answered` is called as soon as the registry has.
    """
    failure: PullFailed | None = None
    for auth in credentials or (None,):
        try:
            _pull_once(client, reference, auth, answered)
            return
        except RegistryUnavailable:
            raise
        except PullFailed as error:
            failure = error
    if failure is not None:
        raise failure


def _pull_once(
    client: docker.APIClient, reference: str, auth: Mapping[str, str] | None, answered: Callable[[], None]
) -> None:
    repository, tag = docker.utils.parse_repository_tag(reference)
    try:
        lines = client.pull(
            repository, tag=tag or "latest", stream=True, decode=True, auth_config=dict(auth) if auth else None
        )
        for line in lines:
            if error := line.get("error"):
                raise _failure(str(error))
            answered()
    except APIError as error:
        raise _failure(str(error.explanation or error)) from error


def _failure(message: str) -> PullFailed:
    unreachable = any(part in message for part in _UNREACHABLE)
    return RegistryUnavailable(message) if unreachable else PullFailed(message)
