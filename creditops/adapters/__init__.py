"""Adapters: how a foreign system's files become rows of the canonical sources."""

from creditops.adapters.adapter import Adapter, Made, adapter_names, broken_adapters, load_adapter

__all__ = ["Adapter", "Made", "adapter_names", "broken_adapters", "load_adapter"]
