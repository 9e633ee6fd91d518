"""Limits (domain.md#limit): recommended from policy, capacity, group, concentration; decided by people."""

from creditops.limits.arithmetic import Caps, work_out
from creditops.limits.decisions import decide, history, proposals
from creditops.limits.recommendation import BINDING

__all__ = ["BINDING", "Caps", "decide", "history", "proposals", "work_out"]
