"""The one exception family of the platform.

Every error a user can cause or mend is a :class:`CreditOpsError`: it says what is wrong and
where, carries a hint with the remedy, and maps to a documented exit code of the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from creditops.personal_data import masked

_NAMES, _LETTERS = 20, 60


def listed(names: Collection[str], *, quoted: bool = False) -> str:
    """Names for a message, separated by commas; a long list and a long name are cut."""
    cut = [name if len(name) <= _LETTERS else f"{name[:_LETTERS]}..." for name in list(names)[:_NAMES]]
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(map(repr, cut) if quoted else cut) + more


class CreditOpsError(Exception):
    """Something a user can understand and mend.

    What looks like a personal datum is masked in it (:mod:`creditops.personal_data`): errors go to logs,
    tables and alerts.

    Parameters
    ----------
    message: what is wrong and where (file, row, column, value).
    hint: what to do about it, one sentence, or ``None``.
    details: what a program may want to know beside, e.g. what was done before it.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, hint: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        self.message: str = masked(message)
        self.hint: str | None = masked(hint)
        self.details: dict[str, Any] = masked(dict(details or {}))
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(CreditOpsError):
    """Wrong use of a command or a setting."""

    exit_code = 2


class DataRefusedError(CreditOpsError):
    """A contract or a quality gate refused the data."""

    exit_code = 3


class ServiceUnreachableError(CreditOpsError):
    """PostgreSQL, MLflow or Airflow does not answer."""

    exit_code = 4
