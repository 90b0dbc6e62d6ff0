"""compose.yaml stays in step with the rest."""

from __future__ import annotations

from pathlib import Path

import yaml

from kubelite.engine import images


def test_compose_starts_the_image_that_is_built() -> None:
    content = yaml.safe_load((Path(__file__).parents[3] / "compose.yaml").read_text())
    assert content["services"]["kubelite"]["image"] == images.KUBELITE
