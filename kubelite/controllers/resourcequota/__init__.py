"""ResourceQuotas show what their namespace uses."""

from kubelite.controllers.resourcequota.controller import ResourceQuotaController

__all__ = ["ResourceQuotaController"]
