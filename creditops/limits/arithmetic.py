"""The arithmetic of one recommended limit, by hand: what ``explain`` prints and checks.

It is written apart from the SQL that recommends, from the same definition (domain.md#limit), so that the
two can be compared over every published limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from creditops.policy.version import LimitRules
from creditops.texts import Text

_CENT = Decimal("0.01")
_PRODUCTS = {
    "instalment_loan": Text(zh="分期贷款", en="an instalment loan"),
    "revolving_card": Text(zh="信用卡", en="a card"),
    "term_loan": Text(zh="定期贷款", en="a term loan"),
    "trade_credit": Text(zh="赊销", en="trade credit"),
}


@dataclass(frozen=True)
class Caps:
    """Every component of one limit, in the book's currency; ``None`` where a cap does not apply.

    Attributes
    ----------
    binding: what gave the figure, as published in ``binding_cap``.
    recommended_terms: days or months; ``None`` where the product has no terms.
    """

    policy: Decimal
    capacity: Decimal | None
    concentration: Decimal
    group: Decimal | None
    recommended: Decimal
    binding: str
    recommended_terms: int | None
    steps: tuple[Text, ...]


@dataclass
class _Notes:
    """The steps in both languages, in the order in which they were taken."""

    steps: list[Text] = field(default_factory=list)

    def add(self, zh: str, en: str) -> None:
        self.steps.append(Text(zh=zh, en=en))


def work_out(
    inputs: Mapping[str, Any],
    rules: LimitRules,
    exposure: Decimal,
    current: Decimal | None,
    current_terms: int | None = None,
) -> Caps:
    """Work a limit and its terms out from the inputs that its row in ``credit_limits`` keeps.

    Parameters
    ----------
    inputs: the row's ``inputs``.
    exposure, current, current_terms: the row's ``exposure``, ``current_limit`` and ``current_terms``.
    """
    notes = _Notes()
    grade, product = inputs["grade"], inputs["product_type"]
    policy = _decimal(rules.caps[product][grade])
    notes.add(
        f"政策上限（{_PRODUCTS[product].zh}，{_grade(grade).zh}）：{_shown(policy)}",
        f"policy cap for {_PRODUCTS[product].en}, {_grade(grade).en}: {_shown(policy)}",
    )
    capacity = _capacity(inputs, rules, notes)
    preliminary = policy if capacity is None else min(policy, capacity)

    customer_cap, customer_sum = _decimal(inputs["customer_cap"]), _decimal(inputs["customer_sum"])
    concentration = _share(customer_cap, preliminary, customer_sum)
    notes.add(
        f"集中度上限：客户合计{_shown(customer_cap)}，本产品{_shown(concentration)}",
        f"concentration cap: {_shown(customer_cap)} for the customer,"
        f" {_shown(concentration)} for this product",
    )
    before_group = min(preliminary, concentration)

    group: Decimal | None = None
    if inputs["group_id"] is not None:
        name, in_all = inputs["group_id"], _decimal(inputs["group_cap"])
        group = _share(in_all, before_group, _decimal(inputs["group_sum"]))
        notes.add(
            f"集团{name}：合计{_shown(in_all)}，本产品{_shown(group)}",
            f"group {name}: {_shown(in_all)} in all, {_shown(group)} for this product",
        )
    least = before_group if group is None else min(before_group, group)
    unit = Decimal(rules.rounding)
    ceiling = least // unit * unit
    notes.add(
        f"各上限之最小值，向下取整至{_shown(unit)}的倍数：{_shown(ceiling)}",
        f"least of these, rounded down to a multiple of {_shown(unit)}: {_shown(ceiling)}",
    )
    recommended, held_back = _held_back(inputs, rules, exposure, current, ceiling, notes)
    if held_back is not None:
        binding = held_back
    elif preliminary == least:
        binding = "policy" if policy == preliminary else "capacity"
    else:
        binding = "group" if group is not None and group < before_group else "concentration"
    terms = _terms(inputs, rules, current_terms, notes)
    return Caps(policy, capacity, concentration, group, recommended, binding, terms, tuple(notes.steps))


def _share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part's share of ``total`` where the whole asks for more than there is."""
    return (total * part / whole).quantize(_CENT, ROUND_DOWN) if whole > total else total


def _capacity(inputs: Mapping[str, Any], rules: LimitRules, notes: _Notes) -> Decimal | None:
    if inputs["product_type"] == "trade_credit":
        sales, factor = _decimal(inputs["monthly_sales"]), _decimal(rules.grade_factor[inputs["grade"]])
        terms = _decimal(inputs.get("terms_in_months", rules.terms_months))
        found = sales * terms * factor
        zh = f"月均赊销{_shown(sales)} × 账期{terms.normalize():f}个月 × 等级系数{factor}"
        en = (
            f"monthly credit sales {_shown(sales)} x terms of {terms.normalize():f} months"
            f" x grade factor {factor}"
        )
    elif inputs["customer_type"] == "corporate":
        if inputs["ebit_yearly"] is None:
            notes.add("能力上限：未知，无财报", "capacity: not known, no statement")
            return None
        ebit = _decimal(inputs["ebit_yearly"])
        found = ebit / _decimal(rules.min_dscr) * _decimal(rules.years)
        zh = f"年化息税前利润{_shown(ebit)} ÷ 偿债覆盖倍数{rules.min_dscr:g} × {rules.years:g}年"
        en = f"yearly EBIT {_shown(ebit)} / DSCR {rules.min_dscr:g} x {rules.years:g} years"
    else:
        if inputs["monthly_income"] is None:
            notes.add("能力上限：未知，无核实收入", "capacity: not known, no verified income")
            return None
        income, service = _decimal(inputs["monthly_income"]), _decimal(inputs["other_debt_service"])
        multiple = rules.income_multiple[inputs["product_type"]]
        found = income * _decimal(multiple) - service
        zh = f"月收入{_shown(income)} × {multiple:g} - 其他月还款{_shown(service)}"
        en = f"monthly income {_shown(income)} x {multiple:g} - other monthly debt service {_shown(service)}"
    found = max(found, Decimal(0)).quantize(_CENT, ROUND_HALF_UP)
    notes.add(f"能力上限：{zh} = {_shown(found)}", f"capacity: {en} = {_shown(found)}")
    return found


def _held_back(
    inputs: Mapping[str, Any],
    rules: LimitRules,
    exposure: Decimal,
    current: Decimal | None,
    ceiling: Decimal,
    notes: _Notes,
) -> tuple[Decimal, str | None]:
    """The ceiling after suspension, reduction and the rules of a rise, and which of them binds."""
    if inputs.get("in_default"):
        notes.add("客户或该产品授信违约：0", "the customer or a facility of the product is in default: 0")
        return Decimal(0), "default"
    if inputs["is_suspended"]:
        notes.add("已批准暂停授信：0", "an approved suspension holds: 0")
        return Decimal(0), "suspension"
    if current is None:
        return ceiling, None
    found, reduced = ceiling, None
    if inputs["reduction"] > 0 and _decimal(inputs["customer_limit"]) > 0:
        reduction, in_all = _decimal(inputs["reduction"]), _decimal(inputs["customer_limit"])
        off = (reduction * current / in_all).quantize(_CENT, ROUND_DOWN)
        reduced = max(current - off, Decimal(0))
        found = min(found, reduced)
        notes.add(
            f"已批准调减{_shown(reduction)}，其中本产品{_shown(off)}：由{_shown(current)}至多{_shown(reduced)}",
            f"an approved reduction of {_shown(reduction)} takes {_shown(off)} off {_shown(current)}:"
            f" at most {_shown(reduced)}",
        )
    against = _against_a_rise(inputs, rules, exposure, current)
    unit = Decimal(rules.rounding)
    if against:
        highest = current
        notes.add(
            f"不得高于当前额度{_shown(current)}：" + "，".join(each.zh for each in against),
            f"no rise above the current {_shown(current)}: " + ", ".join(each.en for each in against),
        )
    else:
        highest = max(current * (1 + _decimal(rules.rise.max_step)) // unit * unit, current)
        notes.add(f"允许上调，至多{_shown(highest)}", f"a rise is allowed, to {_shown(highest)} at most")
    found = min(found, highest)
    if found == ceiling:
        return found, None
    if found == reduced:
        return found, "reduction"
    if not against:
        return found, "rise_step"
    return found, "red_warning" if inputs["open_red"] > 0 else "no_rise"


def _against_a_rise(
    inputs: Mapping[str, Any], rules: LimitRules, exposure: Decimal, current: Decimal
) -> list[Text]:
    rise = rules.rise
    used = f"{rise.min_utilisation:.0%}"
    checks = (
        (inputs["is_closed_end"], "按期摊还贷款无循环额度", "a loan repaid on schedule has no line to raise"),
        *_against_good(inputs, rise.best_grades, rise.min_mob, rise.max_worst_dpd_12m),
        (
            current <= 0 or exposure / current < _decimal(rise.min_utilisation),
            f"使用率不足{used}",
            f"less than {used} of it used",
        ),
    )
    return [Text(zh=zh, en=en) for fails, zh, en in checks if fails]


def _against_good(
    inputs: Mapping[str, Any], best_grades: list[str], min_mob: int, max_worst_dpd: int
) -> tuple[tuple[bool, str, str], ...]:
    """What speaks against a favour to a good customer: whether it does, and how to say it."""
    red, grade, mob, worst = (inputs[name] for name in ("open_red", "grade", "mob", "worst_dpd_12m"))
    return (
        (inputs.get("with_default", False), "有违约授信", "a facility is in default"),
        (red > 0, f"未关闭红色预警{red}项", f"{red} red warning(s) open"),
        (grade not in best_grades, _grade(grade).zh, _grade(grade).en),
        (mob is None or mob < min_mob, f"账龄{mob}个月", f"{mob} months on book"),
        (
            worst is None or worst > max_worst_dpd,
            f"近12个月最长逾期{worst}天",
            f"{worst} days past due in 12 months",
        ),
    )


def _terms(inputs: Mapping[str, Any], rules: LimitRules, current: int | None, notes: _Notes) -> int | None:
    """Terms after a longer one for a good customer, in days of an invoice or months of a loan."""
    product = inputs["product_type"]
    if current is None or rules.terms is None or product not in rules.terms.max_step:
        return current
    favour, most = rules.terms, rules.terms.most[product]
    unit_zh, unit_en = ("天", "days") if product == "trade_credit" else ("个月", "months")
    checks = (
        (inputs.get("is_lowered", False), "该客户有额度下调", "a limit of the customer is lowered"),
        (inputs["is_suspended"], "已批准暂停授信", "an approved suspension"),
        (inputs["reduction"] > 0, "已批准调减额度", "an approved reduction"),
        *_against_good(inputs, favour.best_grades, favour.min_mob, favour.max_worst_dpd_12m),
        (current >= most, f"已达上限{most}{unit_zh}", f"the longest is {most} {unit_en}"),
    )
    against = [(zh, en) for fails, zh, en in checks if fails]
    if against:
        notes.add(
            f"期限维持{current}{unit_zh}：" + "，".join(zh for zh, _ in against),
            f"terms stay at {current} {unit_en}: " + ", ".join(en for _, en in against),
        )
        return current
    longer = min(current + favour.max_step[product], most)
    notes.add(
        f"优质客户可延长期限：{current}{unit_zh}至{longer}{unit_zh}",
        f"longer terms for a good customer: {current} to {longer} {unit_en}",
    )
    return longer


def _grade(grade: str) -> Text:
    return (
        Text(zh="未评级", en="ungraded")
        if grade == "ungraded"
        else Text(zh=f"等级{grade}", en=f"grade {grade}")
    )


def _shown(amount: Decimal) -> str:
    """An amount with thousands separators, and cents where it has some."""
    return f"{amount:,.2f}".removesuffix(".00")


def _decimal(value: float | str | Decimal) -> Decimal:
    return Decimal(str(value))
