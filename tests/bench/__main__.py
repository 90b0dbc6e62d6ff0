"""`python -m tests.bench [NAME ...]`: every benchmark, or the named ones; figures are ratios taken in one run."""

from __future__ import annotations

import importlib
import sys

SUITES = ("pods", "scale", "dns", "proxy", "streams")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    for name in names or SUITES:
        print(f"# {name}", flush=True)
        for row in importlib.import_module(f"tests.bench.{name}").run():
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
