"""Keep ONNX Runtime from sending usage data.

Wheels since 1.29 start a telemetry thread on import, write a device id below ~/.cache and look up a collector
within 30 s. Only ORT_DISABLE_TELEMETRY=1, set before the first import, prevents all three (measured on 1.31.1:
ORT_TELEMETRY_DISABLED does nothing, `disable_telemetry_events()` leaves the thread running).
"""

from __future__ import annotations

import os

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"


def disable_telemetry() -> None:
    """Set the switch for this process and for every child it starts."""
    os.environ[TELEMETRY_SWITCH] = "1"
