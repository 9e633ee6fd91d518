"""Grades of the master scale, best first (domain.md#master-scale)."""

from __future__ import annotations

DEFAULT_GRADE = "D"
"""Grade while default lasts, with or without a score (domain.md#default)."""
GRADES = (*(str(number) for number in range(1, 11)), DEFAULT_GRADE)
