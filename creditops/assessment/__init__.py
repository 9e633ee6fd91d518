"""Assessment report of one customer (DOMAIN 8): what a credit officer attaches to a decision."""

from creditops.assessment.page import assess

__all__ = ["assess"]
