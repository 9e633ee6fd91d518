"""Assessment report of one customer (domain.md#assessment): what a credit officer attaches to a decision."""

from creditops.assessment.page import assess

__all__ = ["assess"]
