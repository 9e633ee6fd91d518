"""The arithmetic of limits keeps its bounds, whatever the inputs (docs/domain.md)."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from creditops.limits import work_out
from creditops.policy import load_policies

BOOK = "demo"
GRADES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")


@given(
    income=st.integers(0, 100_000),
    grade=st.sampled_from(GRADES),
    current=st.integers(0, 300_000),
    exposure=st.integers(0, 300_000),
    red=st.integers(0, 2),
    customer_sum=st.integers(1, 10**7),
    reduction=st.integers(0, 10_000),
)
def test_a_limit_never_breaks_its_bounds(
    income: int, grade: str, current: int, exposure: int, red: int, customer_sum: int, reduction: int
) -> None:
    rules = load_policies(BOOK)[-1].limits
    inputs = {
        "product_type": "revolving_card", "customer_type": "retail", "grade": grade, "is_closed_end": False,
        "monthly_income": income, "other_debt_service": 1000, "monthly_sales": 0, "ebit_yearly": None,
        "customer_cap": 1_000_000, "customer_sum": customer_sum, "group_id": None, "group_cap": 1,
        "group_sum": 1, "open_red": red, "is_suspended": False, "reduction": reduction,
        "customer_limit": max(current, 1), "mob": 12, "worst_dpd_12m": 0,
    }  # fmt: skip
    caps = work_out(inputs, rules, Decimal(exposure), Decimal(current))
    assert 0 <= caps.recommended <= min(caps.policy, caps.capacity or caps.policy, caps.concentration)
    assert caps.recommended <= max(Decimal(current) * Decimal("1.5"), Decimal(current))
    if red or reduction:
        assert caps.recommended <= current


@given(
    sales=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=8),
    cap=st.integers(1, 20_000_000),
    current=st.integers(0, 30_000_000),
)
def test_members_of_a_group_never_exceed_its_cap_together(sales: list[int], cap: int, current: int) -> None:
    rules = load_policies(BOOK)[-1].limits
    most = Decimal(rules.caps["trade_credit"]["6"])
    asked = sum(min(Decimal(each), most) for each in sales)
    limits_together = Decimal(0)
    for each in sales:
        inputs = {
            "product_type": "trade_credit", "customer_type": "corporate", "grade": "6",
            "is_closed_end": False,
            "monthly_sales": each, "terms_in_months": 1, "customer_cap": 10**12, "customer_sum": 1,
            "group_id": "G", "group_cap": cap, "group_sum": asked, "open_red": 0, "is_suspended": False,
            "reduction": 0, "customer_limit": max(current, 1), "mob": 24, "worst_dpd_12m": 0,
        }  # fmt: skip
        limits_together += work_out(inputs, rules, Decimal(current), Decimal(current)).recommended
    assert limits_together <= cap
