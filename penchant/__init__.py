"""Penchant: a recommender that learns what people like without collecting what they do."""

import os
from importlib.metadata import version

# Flower reads these when it is imported: no telemetry, no update check.
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

__version__ = version("penchant")
