"""Early warnings (domain.md#warning-rule): rules as data, one pass over each subject, and a life cycle.

``rules/*.yml`` say what to warn of, ``subjects/*.yml`` what rules can look at.
"""

from creditops.warnings.acts import acknowledge, mark_false_alarm, resolve, start_response
from creditops.warnings.evaluation import WarningSummary, evaluate, snapshot_sql
from creditops.warnings.listing import EarlyWarning, events_of, list_warnings
from creditops.warnings.rule import Rule, load_rules

__all__ = [
    "EarlyWarning",
    "Rule",
    "WarningSummary",
    "acknowledge",
    "evaluate",
    "events_of",
    "list_warnings",
    "load_rules",
    "mark_false_alarm",
    "resolve",
    "snapshot_sql",
    "start_response",
]
