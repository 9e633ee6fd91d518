"""Collections (domain.md#worklist): the worklist by expected loss at stake, stage and strategy."""

from creditops.collection.worklist import make_worklist

__all__ = ["make_worklist"]
