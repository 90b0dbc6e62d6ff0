"""`/healthz`, `/livez` and `/readyz`, whole or check by check (`/livez/etcd`), as apiserver's `server/healthz` has them.

Upstream's checks keep their names, because probes and tests ask for them by name: what they stand for here is one
process that has started. Only `/readyz` looks at more: at what this cluster needs before pods can run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from aiohttp import web

from kubelite import errors
from kubelite.api.exposition import exposed, family

Check = Callable[[], str | None]  # None when fine, else what is wrong

PATHS = ("/healthz", "/livez", "/readyz")
_HOOKS = (
    "start-apiserver-admission-initializer",
    "start-kube-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "bootstrap-controller",
    "start-system-namespaces-controller",
    "scheduling/bootstrap-system-priority-classes",
    "rbac/bootstrap-roles",
    "start-cluster-authentication-info-controller",
    "start-kube-aggregator-informers",
    "apiservice-registration-controller",
    "apiservice-status-available-controller",
    "kube-apiserver-autoregistration",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)
_ALIVE = ("ping", "log", "etcd", *(f"poststarthook/{hook}" for hook in _HOOKS), "autoregister-completion")
_ONLY_READY = ("informer-sync", "shutdown")


def _fine() -> None:
    """What is so from the start."""


class Health:
    """Handler of the three paths and of everything under them; `ready` are the checks of `/readyz` by name."""

    def __init__(self, ready: Mapping[str, Check]) -> None:
        alive: dict[str, Check] = dict.fromkeys(_ALIVE, _fine)
        self._checks = {
            "healthz": alive,
            "livez": alive,
            "readyz": {**alive, **dict.fromkeys(_ONLY_READY, _fine), **ready},
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        endpoint, _, name = request.path.strip("/").partition("/")
        checks = self._checks[endpoint]
        if name:
            if name not in checks:
                raise errors.page_not_found()
            why = checks[name]()
            return _text("ok" if why is None else f"internal server error: {why}\n", failed=why is not None)
        excluded = request.query.getall("exclude", [])
        results = {name: None if name in excluded else check() for name, check in checks.items()}
        failed = any(results.values())
        if not failed and "verbose" not in request.query:
            return _text("ok", failed=False)
        return _text(report(endpoint, results, excluded), failed=failed)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """`/metrics/slis`, from which upstream has availability reckoned."""
        results = (
            ({"name": name, "type": endpoint}, float(check() is None))
            for endpoint, checks in self._checks.items()
            for name, check in checks.items()
        )
        return exposed(family("kubernetes_healthcheck", "gauge", "Whether the check passes.", results))


def report(endpoint: str, results: Mapping[str, str | None], excluded: Collection[str]) -> str:
    """One line a check, and the verdict."""
    lines = [
        f"[+]{name} excluded: ok" if name in excluded else f"[-]{name} failed: {why}" if why else f"[+]{name} ok"
        for name, why in results.items()
    ]
    if unknown := [name for name in excluded if name not in results]:
        listed = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
    verdict = "failed" if any(results.values()) else "passed"
    return "\n".join([*lines, f"{endpoint} check {verdict}", ""])


def _text(text: str, *, failed: bool) -> web.Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private"}
    return web.Response(text=text, status=500 if failed else 200, headers=headers)
