"""Recommended limits: what may bind them, in words."""

from __future__ import annotations

from collections.abc import Mapping

BINDING: Mapping[str, Mapping[str, str]] = {
    "policy": {"zh": "政策上限", "en": "policy cap"},
    "capacity": {"zh": "还款能力", "en": "capacity"},
    "concentration": {"zh": "集中度上限", "en": "concentration cap"},
    "group": {"zh": "集团上限", "en": "group cap"},
    "red_warning": {"zh": "当前额度，红色预警未关闭", "en": "limit in force, red warning open"},
    "default": {"zh": "客户或该产品授信违约", "en": "customer or a facility of the product in default"},
    "suspension": {"zh": "已批准暂停授信", "en": "approved suspension"},
    "reduction": {"zh": "已批准调减额度", "en": "approved reduction"},
    "no_rise": {"zh": "当前额度，不得上调", "en": "limit in force, no rise"},
    "rise_step": {"zh": "单次上调上限", "en": "largest rise at once"},
}
"""Names of what may bind, for people."""
