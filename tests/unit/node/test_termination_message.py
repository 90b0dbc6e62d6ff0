from __future__ import annotations

from pathlib import Path

import pytest

from kubelite.node.termination_message import wants_logs_as_message, with_message
from tests.unit.node.pods import container, exited, pod


def test_message_is_the_end_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("x" * 5000 + "the end")
    found = with_message(exited(message_file=str(path))).message
    assert (len(found), found[-8:]) == (4096, "xthe end")
    path.unlink()
    assert with_message(exited(message_file=str(path))).message == ""
    path.mkdir()
    problem = f"Error on reading termination log {path}: open {path}: is a directory"
    assert with_message(exited(message_file=str(path))).message == problem


@pytest.mark.parametrize(
    ("policy", "fields", "wanted"),
    [
        ("FallbackToLogsOnError", {"code": 1}, True),
        ("FallbackToLogsOnError", {"code": 0}, False),
        ("FallbackToLogsOnError", {"code": 1, "message": "said"}, False),
        ("FallbackToLogsOnError", {"code": 128, "started_at": None}, False),
        ("File", {"code": 1}, False),
    ],
)
def test_log_stands_in_where_the_policy_says_so(policy: str, fields: dict[str, object], wanted: bool) -> None:
    of = pod(container(terminationMessagePolicy=policy))
    assert wants_logs_as_message(of, exited(**fields)) is wanted  # type: ignore[arg-type]
