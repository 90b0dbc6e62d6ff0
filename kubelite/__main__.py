"""`python -m kubelite` and the console script."""

from __future__ import annotations

import sys

from kubelite.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
