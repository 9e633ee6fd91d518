"""Layers of the warehouse, and the schemas that the newest state of a book is in."""

from __future__ import annotations

from collections.abc import Mapping

BUILT_LAYERS = ("intermediate", "marts", "features")
"""Layers that are stored, in the order in which they are built."""
LAYERS = ("staging", *BUILT_LAYERS)
"""All layers; staging is written into the queries that read it, but for a few models."""
SERVING = "serving"
"""Layer of what is published, made anew for each publication; its models are named as the views are."""
LIVE_SCHEMAS: Mapping[str, str] = {"marts": "marts", "features": "features"}
"""Schemas that publication reads; a run for a past day has others (:mod:`creditops.past_day`)."""


def schemas_of(prefix: str) -> Mapping[str, str]:
    """The same of a build with a prefix."""
    return {layer: f"{prefix}{schema}" for layer, schema in LIVE_SCHEMAS.items()}
