"""Jobs: pods that run until enough of them succeeded, counted exactly once; and what removes finished Jobs."""

from kubelite.controllers.job.controller import JobController
from kubelite.controllers.job.ttl import TtlAfterFinished

__all__ = ["JobController", "TtlAfterFinished"]
