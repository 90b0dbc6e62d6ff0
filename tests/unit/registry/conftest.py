from collections.abc import Callable

import pytest

from kubelite.errors import FieldError


@pytest.fixture
def texts() -> Callable[[list[FieldError]], list[str]]:
    """Errors as people read them."""
    return lambda errors: [str(error) for error in errors]
