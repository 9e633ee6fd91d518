"""Words by which a file's headers are recognised: column names, kinds of value, personal data.

Only the drafting of a contract uses them, and what they suggest is for a person to confirm.
"""

from __future__ import annotations

import re
from typing import Literal

from creditops.sources.column import PiiClass

DRAFT_EN = "Draft: column"
DRAFT_ZH = "草稿：文件中的"

Hint = Literal["id", "money", "rate", "date", "count", "code", "text"]

# Column name -> what headers call it in Chinese; a longer term stands before one that is part of it.
_CHINESE = {
    "customer_id": "客户编号 客户号 客户代码 企业代号",
    "customer_name": "客户名称",
    "company_name": "企业名称",
    "contract_no": "合同编号 合同号",
    "loan_no": "借据编号 借据号 贷款编号",
    "facility_id": "账户编号 授信编号",
    "order_no": "订单编号 订单号",
    "invoice_no": "发票号码 发票号",
    "serial_no": "流水号",
    "product_id": "产品编号 产品代码",
    "partner_id": "合作方",
    "branch": "机构 分行 网点",
    "name": "姓名",
    "national_id": "身份证号 身份证 证件号码",
    "phone": "手机号 手机 电话",
    "address": "地址",
    "birth_date": "出生日期",
    "account_no": "银行卡号 银行账号",
    "disbursed_on": "放款日 发放日期",
    "value_date": "起息日",
    "opened_on": "开户日",
    "due_date": "到期日",
    "paid_on": "还款日",
    "issued_on": "开票日期",
    "applied_on": "申请日期",
    "reported_on": "报告日期",
    "observed_on": "观察日",
    "date": "日期",
    "time": "时间",
    "month": "月份",
    "amount": "金额",
    "principal": "本金",
    "interest": "利息",
    "penalty": "罚息",
    "fee": "费用",
    "balance": "余额",
    "credit_limit": "额度",
    "tax": "税额",
    "total": "价税合计",
    "annual_rate": "利率",
    "share": "比例",
    "terms": "期数",
    "term_months": "期限",
    "dpd": "逾期天数",
    "days": "天数",
    "times": "次数",
    "overdue": "逾期",
    "extended": "展期",
    "revolving": "循环",
    "quantity": "数量",
    "status": "状态",
    "kind": "类型 种类",
    "currency": "币种",
    "industry": "行业",
    "region": "地区",
    "province": "省份",
    "sex": "性别",
    "note": "备注 说明",
    "reason": "原因",
    "class5": "五级分类",
    "guarantee": "担保方式 担保类型",
    "credit_code": "统一社会信用代码",
    "grade": "等级 评级",
    "id": "编号",
    "row_no": "序号",
}
CHINESE_NAMES = {term: name for name, terms in _CHINESE.items() for term in terms.split()}

_HINTS: tuple[tuple[Hint, str], ...] = (
    ("date", r"\b(on|date)$|日期$|日$"),
    ("rate", r"\b(rate|ratio|share|percent|percentage|pct|yield)\b|率|比例|占比"),
    (
        "count",
        r"\b(count|cnt|days|months|times|terms|qty|quantity|age|dpd|number of)\b|天数|次数|期数|数量|年龄",
    ),
    (
        "money",
        r"\b(amount|amt|balance|principal|interest|fee|price|limit|income|revenue|cost|paid|total|tax)\b|"
        r"金额|余额|本金|利息|费|额|价|收入|成本|款$",
    ),
    ("date", r"\b(date|day|month|period)\b|\bon$|日期|日$|月份|时间"),
    ("id", r"\bid\b|\b(no|nr|number|key|ref|reference)$|编号|号码|号$|代码$"),
)

_PII: tuple[tuple[PiiClass, str], ...] = (
    ("national_id", r"national_?id|id_?card|identity|ssn|passport|身份证|证件号"),
    ("phone", r"phone|mobile|telephone|(^|_)tel($|_)|手机|电话|联系方式"),
    ("address", r"address|street|地址|住址"),
    ("account", r"iban|card_?(no|number)|account_?(no|number)|银行卡|银行账号|卡号"),
    ("birth_date", r"birth|dob|出生"),
    ("name", r"(^|_)((full|first|last|customer|client|borrower|contact|person)_?)?name$|姓名|联系人|户名"),
    ("email", r"e_?mail|邮箱"),
)

# A column of this name refers to a canonical source.
REFERENCES = {
    "customer_id": "customers",
    "facility_id": "facilities",
    "product_id": "products",
    "partner_id": "partners",
    "group_id": "groups",
    "application_id": "applications",
    "due_item_id": "due_items",
    "payment_id": "payments",
    "report_id": "bureau_reports",
}


_OUTCOME = r"(^|_)(default|defaulted|bad|target|outcome|label|class|y)(_|$)|违约|好坏|目标|是否逾期|bankrupt"


def is_outcome(name: str) -> bool:
    """Whether a header promises what became of a customer, which no key and no characteristic may hold."""
    return bool(re.search(_OUTCOME, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace(" ", "_")))


_HAPPENED = (
    r"(^|_)(opened|closed|paid|booked|posted|issued|granted|disbursed|applied|reported|observed|registered"
    r"|recorded|received|transaction_date|value_date)(_|$)"
    r"|开户|放款|发放|起息|开票|申请|报告|报送|观察|交易日|入账|记账|登记"
)


def has_happened(name: str, header: str) -> bool:
    """Whether the days of a column promise to be of something past, not of what is due or planned."""
    return any(re.search(_HAPPENED, each.lower().replace(" ", "_")) for each in (name, header))


_PROTECTED = (
    r"(^|_)(sex|gender|age|birth|marital|marriage|race|ethnic\w*|nationality|religion|region|province|postcode|zip)(_|$)"
    r"|性别|年龄|婚姻|民族|国籍|宗教|地区|省份|户籍"
)


def is_protected(name: str, header: str) -> bool:
    """Whether a column promises an attribute that decisions may not rest on (domain.md#fairness)."""
    return any(re.search(_PROTECTED, each.lower().replace(" ", "_")) for each in (name, header))


def column_name(header: str, position: int) -> str:
    """A column name for a header: lower case letters, digits and ``_``."""
    text = header.strip()
    exact = CHINESE_NAMES.get(text)
    if exact:
        return exact
    if text.startswith("是否") and (flag := CHINESE_NAMES.get(text.removeprefix("是否"))):
        return f"is_{flag}"
    slug = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()).strip("_")
    if not slug or not slug[0].isalpha():
        known = next(
            (CHINESE_NAMES[term] for term in sorted(CHINESE_NAMES, key=len)[::-1] if term in text), None
        )
        slug = known or (f"c_{slug}" if slug else f"column_{position + 1}")
    return slug[:50].rstrip("_")


def hint_of_name(name: str) -> Hint | None:
    """What kind of value a header promises."""
    words = re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)).lower().strip()
    return next((hint for hint, pattern in _HINTS if re.search(pattern, words)), None)


def pii_of_name(name: str) -> PiiClass | None:
    """Which personal data a header promises."""
    lower = name.lower().replace(" ", "_")
    return next((kind for kind, pattern in _PII if re.search(pattern, lower)), None)
