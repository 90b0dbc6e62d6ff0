"""Query parameters to options, refused where upstream refuses them (metav1 ListOptions, CreateOptions, ...); pure.

After apimachinery's `meta/internalversion/validation` and `meta/v1/validation`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from kubelite import errors
from kubelite.errors import FieldError, StatusError, forbidden_field, not_supported, required, too_long
from kubelite.schema.strict import Directive

Query = Mapping[str, str]
WriteKind = Literal["CreateOptions", "UpdateOptions", "PatchOptions"]

_MATCHES = ("Exact", "NotOlderThan")
_DIRECTIVES = ("Ignore", "Warn", "Strict")
_MANAGER_LIMIT = 128
_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")


def refused(kind: str, found: Sequence[FieldError]) -> None:
    """422 for wrong options, if any."""
    if found:
        raise errors.invalid(kind, "", found, "meta.k8s.io")


def is_true(query: Query, name: str) -> bool:
    """As apimachinery reads booleans: present and neither `0` nor `false`."""
    return name in query and query[name].lower() not in ("0", "false")


def whole_number(query: Query, name: str) -> int | None:
    """None when absent; 400 for what isn't a number."""
    if not query.get(name):
        return None
    try:
        return int(query[name])
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from None


def resource_version(query: Query) -> int | None:
    """None for "" (whatever is newest)."""
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise errors.bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text) if text else None


def check_timeout(query: Query) -> None:
    """A request's `timeout` is one of Go's durations; requests here are answered at once, whatever it says."""
    text = query.get("timeout", "")
    if text and not _DURATION.fullmatch(text):
        raise errors.bad_request(f'invalid timeout specified in the request URL - time: invalid duration "{text}"')


def too_large(asked: int, current: int) -> StatusError:
    """504: the client has seen a newer version than this server has (so it belongs to another database)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return StatusError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`exact`: the list as it was at `version`; else at least as new as that."""

    version: int | None = None
    exact: bool = False
    limit: int = 0
    token: str = ""


def list_options(query: Query) -> ListOptions:
    match, token = query.get("resourceVersionMatch", ""), query.get("continue", "")
    refused("ListOptions", _list_errors(query, match, token))
    version, limit = resource_version(query), max(whole_number(query, "limit") or 0, 0)
    if token and version:
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    if version == 0:
        return ListOptions(token=token)  # served from upstream's cache, which knows no limit
    # A limit without a match means Exact, as it did before matches could be asked for.
    exact = version is not None and (match == "Exact" or (not match and limit > 0))
    return ListOptions(version, exact, limit, token)


def _list_errors(query: Query, match: str, token: str) -> list[FieldError]:
    path, found = "resourceVersionMatch", []
    if match and not query.get("resourceVersion"):
        found.append(forbidden_field(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if match and token:
        found.append(forbidden_field(path, "resourceVersionMatch is forbidden for continue"))
    if match and match not in _MATCHES:
        found.append(not_supported(path, match, (*_MATCHES, "")))
    if match == "Exact" and query.get("resourceVersion") == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(forbidden_field(path, text))
    if "sendInitialEvents" in query:
        found.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return found


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`since` None: from now on. `initial`: begin with ADDED events for what is there."""

    since: int | None
    initial: bool
    streaming_list: bool
    bookmarks: bool
    seconds: int | None


def watch_options(query: Query) -> WatchOptions:
    refused("ListOptions", _watch_errors(query))
    version = resource_version(query)
    streaming, bookmarks = is_true(query, "sendInitialEvents"), is_true(query, "allowWatchBookmarks")
    initial = streaming if "sendInitialEvents" in query else not version
    return WatchOptions(
        since=version if version and not initial else None,
        initial=initial,
        streaming_list=streaming and bookmarks,
        bookmarks=bookmarks,
        seconds=whole_number(query, "timeoutSeconds") or None,
    )


def _watch_errors(query: Query) -> list[FieldError]:
    path, match, found = "resourceVersionMatch", query.get("resourceVersionMatch", ""), []
    if "sendInitialEvents" in query and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(forbidden_field(path, text))
    if match and "sendInitialEvents" not in query:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(forbidden_field(path, text))
    if match and match != "NotOlderThan":
        found.append(not_supported(path, match, ("NotOlderThan",)))
    if match and query.get("continue"):
        found.append(forbidden_field(path, "resourceVersionMatch is forbidden for continue"))
    return found


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Of create, update and patch; `manager` is the field manager's name, `force` server-side apply's."""

    dry_run: bool
    directive: Directive
    manager: str
    force: bool


def write_options(query: Query, user_agent: str, kind: WriteKind, *, apply: bool = False) -> WriteOptions:
    """Warn is the server's default field validation; a manager without a name goes by its program's."""
    manager, directive = query.get("fieldManager", ""), query.get("fieldValidation", "") or "Warn"
    found = manager_errors(manager) + dry_run_errors([query.get("dryRun", "")])
    if directive not in _DIRECTIVES:
        found.append(not_supported("fieldValidation", directive, _DIRECTIVES))
    if kind == "PatchOptions" and apply and not manager:
        found.append(required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not apply and query.get("force"):
        found.append(forbidden_field("force", "may not be specified for non-apply patch"))
    refused(kind, found)
    program = user_agent.split("/")[0][:_MANAGER_LIMIT]
    return WriteOptions(
        dry_run=query.get("dryRun") == "All",
        directive=cast(Directive, directive),
        manager=manager or program or "unknown",
        force=is_true(query, "force"),
    )


def manager_errors(manager: str) -> list[FieldError]:
    if len(manager) > _MANAGER_LIMIT:
        return [too_long("fieldManager", _MANAGER_LIMIT)]
    if not manager.isprintable():
        return [errors.invalid_value("fieldManager", manager, "should only contain printable characters")]
    return []


def dry_run_errors(asked: Sequence[Any]) -> list[FieldError]:
    return [not_supported("dryRun", list(asked), ("All",))] if any(value not in ("", "All") for value in asked) else []
