"""CronJobs: start Jobs by a schedule and tidy up the finished ones."""

from kubelite.controllers.cronjob.controller import CronJobController

__all__ = ["CronJobController"]
