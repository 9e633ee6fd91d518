"""Policy versions: which is in force, and what a faulty file is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from creditops.errors import UsageError
from creditops.policy import policy_in_force
from creditops.policy.version import TermRules, read_policy

AS_OF = date(2026, 6, 30)
BOOK = "demo"


def test_versions_follow_each_other() -> None:
    assert policy_in_force(BOOK, date(2023, 12, 31)).version == "CP-2022.1"
    assert policy_in_force(BOOK, date(2024, 1, 1)).version == "CP-2024.1"
    assert policy_in_force("another_book", AS_OF).version == "default-1"


def test_terms_name_step_and_longest_of_the_same_products() -> None:
    terms = {"best_grades": ["1"], "min_mob": 1, "max_worst_dpd_12m": 0, "max_step": {"trade_credit": 15}}
    with pytest.raises(ValidationError, match="same product types"):
        TermRules.model_validate({**terms, "most": {"term_loan": 60}})


def test_a_faulty_version_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yml"
    path.write_text("version: x\nvalid_from: 2026-01-01\n")
    with pytest.raises(UsageError, match=r"bad\.yml: approved_by"):
        read_policy(path)
    with pytest.raises(UsageError, match="no policy of book demo is in force on 1990-01-01"):
        policy_in_force(BOOK, date(1990, 1, 1))
