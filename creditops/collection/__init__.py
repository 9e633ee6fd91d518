"""Collections (DOMAIN 8): the worklist by expected loss at stake, stage and strategy."""

from creditops.collection.worklist import make_worklist

__all__ = ["make_worklist"]
