"""Layers of the warehouse, and the schemas that the newest state of a book is in."""

from __future__ import annotations

from collections.abc import Mapping

BUILT_LAYERS = ("intermediate", "marts", "features")
"""Layers that are stored, in the order in which they are built."""
LAYERS = ("staging", *BUILT_LAYERS)
"""All layers; staging is written into the queries that read it, but for a few models."""
LIVE_SCHEMAS: Mapping[str, str] = {"marts": "marts", "features": "features"}
"""Schemas that publication reads; a run for a past day has others (:mod:`creditops.past_day`)."""
