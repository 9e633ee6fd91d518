"""Collections (domain.md#worklist): the worklist by expected loss at stake, stage and strategy."""

from creditops.collection.worklist import keep

__all__ = ["keep"]
