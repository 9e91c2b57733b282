"""The engine: everything that works without a screen."""

import os

# NOTE: since 1.29 ONNX Runtime tells its maker what runs where, also on Linux. It asks these once,
# when it is loaded, and whatever loads it has come by here.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
