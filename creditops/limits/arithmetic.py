"""The arithmetic of one recommended limit, by hand: what ``explain`` prints and checks.

It is written apart from the SQL that recommends, from the same definition (DOMAIN 8), so that the
two can be compared over every published limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from creditops.policy.version import LimitRules

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Caps:
    """Every component of one limit, in the book's currency; ``None`` where a cap does not apply."""

    policy: Decimal
    capacity: Decimal | None
    concentration: Decimal
    group: Decimal | None
    recommended: Decimal
    steps: tuple[str, ...]


def work_out(
    inputs: Mapping[str, Any], rules: LimitRules, exposure: Decimal, current: Decimal | None
) -> Caps:
    """Work a limit out from the inputs that its row in ``credit_limits`` keeps.

    Parameters
    ----------
    inputs: the row's ``inputs``.
    exposure, current: the row's ``exposure`` and ``current_limit``.
    """
    steps: list[str] = []
    grade, product = inputs["grade"], inputs["product_type"]
    policy = _decimal(rules.caps[product][grade])
    steps.append(f"policy cap for {product}, grade {grade}: {policy}")
    capacity, how = _capacity(inputs, rules)
    steps.append(f"capacity: {how}")
    preliminary = policy if capacity is None else min(policy, capacity)

    customer_cap, customer_sum = _decimal(inputs["customer_cap"]), _decimal(inputs["customer_sum"])
    concentration = _share(customer_cap, preliminary, customer_sum)
    steps.append(f"concentration cap: {customer_cap} for the customer, {concentration} for this product")
    before_group = min(preliminary, concentration)

    group: Decimal | None = None
    if inputs["group_id"] is not None:
        group = _share(_decimal(inputs["group_cap"]), before_group, _decimal(inputs["group_sum"]))
        steps.append(f"group {inputs['group_id']}: {inputs['group_cap']} in all, {group} for this product")
    unit = Decimal(rules.rounding)
    ceiling = (min(before_group, group) if group is not None else before_group) // unit * unit
    steps.append(f"ceiling, rounded down to a multiple of {unit}: {ceiling}")
    return Caps(
        policy, capacity, concentration, group, _held_back(inputs, rules, exposure, current, ceiling, steps),
        tuple(steps),
    )  # fmt: skip


def _share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part's share of ``total`` where the whole asks for more than there is."""
    return (total * part / whole).quantize(_CENT, ROUND_DOWN) if whole > total else total


def _capacity(inputs: Mapping[str, Any], rules: LimitRules) -> tuple[Decimal | None, str]:
    if inputs["product_type"] == "trade_credit":
        sales = _decimal(inputs["monthly_sales"])
        factor = _decimal(rules.grade_factor[inputs["grade"]])
        found = sales * _decimal(rules.terms_months) * factor
        how = f"monthly credit sales {sales} x {rules.terms_months} months x grade factor {factor}"
    elif inputs["customer_type"] == "corporate":
        if inputs["ebit_yearly"] is None:
            return None, "not known: no statement"
        ebit = _decimal(inputs["ebit_yearly"])
        found = ebit / _decimal(rules.min_dscr) * _decimal(rules.years)
        how = f"yearly EBIT {ebit} / DSCR {rules.min_dscr} x {rules.years} years"
    else:
        if inputs["monthly_income"] is None:
            return None, "not known: no verified income"
        income, service = _decimal(inputs["monthly_income"]), _decimal(inputs["other_debt_service"])
        multiple = rules.income_multiple[inputs["product_type"]]
        found = income * _decimal(multiple) - service
        how = f"monthly income {income} x {multiple} - other monthly debt service {service}"
    found = max(found, Decimal(0)).quantize(_CENT, ROUND_HALF_UP)
    return found, f"{how} = {found}"


def _held_back(
    inputs: Mapping[str, Any],
    rules: LimitRules,
    exposure: Decimal,
    current: Decimal | None,
    ceiling: Decimal,
    steps: list[str],
) -> Decimal:
    """The ceiling after suspension, reduction and the rules of a rise."""
    if inputs["is_suspended"]:
        steps.append("an approved suspension holds: 0")
        return Decimal(0)
    found = ceiling
    if inputs["reduction"] > 0 and current is not None:
        reduction, in_all = _decimal(inputs["reduction"]), _decimal(inputs["customer_limit"])
        off = (reduction * current / in_all).quantize(_CENT, ROUND_DOWN)
        found = min(found, max(current - off, Decimal(0)))
        steps.append(f"an approved reduction of {reduction} takes {off} off {current}: at most {found}")
    if current is None:
        return found
    against = _against_a_rise(inputs, rules, exposure, current)
    unit = Decimal(rules.rounding)
    if against:
        highest = current
        steps.append(f"no rise above the current {current}: {', '.join(against)}")
    else:
        step = current * (1 + _decimal(rules.rise.max_step)) // unit * unit
        highest = max(step, current)
        steps.append(f"a rise is allowed, to {highest} at most")
    return min(found, highest)


def _against_a_rise(
    inputs: Mapping[str, Any], rules: LimitRules, exposure: Decimal, current: Decimal
) -> list[str]:
    rise = rules.rise
    checks = (
        (inputs["is_closed_end"], "a loan repaid on schedule has no line to raise"),
        (inputs["open_red"] > 0, f"{inputs['open_red']} red warning(s) open"),
        (inputs["grade"] not in rise.best_grades, f"grade {inputs['grade']}"),
        (inputs["mob"] < rise.min_mob, f"{inputs['mob']} months on book"),
        (
            inputs["worst_dpd_12m"] is None or inputs["worst_dpd_12m"] > rise.max_worst_dpd_12m,
            f"{inputs['worst_dpd_12m']} days past due in 12 months",
        ),
        (
            current <= 0 or exposure / current < _decimal(rise.min_utilisation),
            f"less than {rise.min_utilisation:.0%} of it used",
        ),
    )
    return [reason for fails, reason in checks if fails]


def _decimal(value: float | str | Decimal) -> Decimal:
    return Decimal(str(value))
