"""Prometheus' text format, and answers in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aiohttp import web

from kubelite.config import KUBERNETES_VERSION

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]  # labels and value


def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        shown = ",".join(f'{label}="{of}"' for label, of in labels.items())
        yield f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}"


def exposed(lines: Iterable[str]) -> web.Response:
    return web.Response(text="\n".join([*lines, ""]), headers={"Content-Type": _CONTENT_TYPE})


def build_info() -> Iterator[str]:
    """What every component of upstream tells of itself."""
    build = [({"git_version": KUBERNETES_VERSION, "platform": "linux/amd64"}, 1.0)]
    return family("kubernetes_build_info", "gauge", "The version that is spoken.", build)
