"""What is sold: products, the partners that bring customers, and what competitors offer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.population import PARTNERS
from creditops.simulate.world.randomness import stream

INSTALMENT, CARD, TERM, INVOICE = 0, 1, 2, 3
PRODUCT_TYPES = ("instalment_loan", "revolving_card", "term_loan", "trade_credit")


@dataclass(frozen=True)
class Product:
    """A product; rates are yearly decimals, ``kind`` is a position in ``PRODUCT_TYPES``."""

    product_id: str
    name: str
    kind: int
    lgd: float
    ccf: float
    annual_rate: float | None
    funding_rate: float


PRODUCTS: tuple[Product, ...] = (
    Product("IL01", "消费分期贷", INSTALMENT, 0.60, 0.0, 0.156, 0.028),
    Product("IL02", "合作现金分期", INSTALMENT, 0.68, 0.0, 0.204, 0.030),
    Product("RC01", "标准信用卡", CARD, 0.72, 0.45, 0.1825, 0.026),
    Product("RC02", "金卡", CARD, 0.65, 0.50, 0.165, 0.026),
    Product("TL01", "流动资金贷款", TERM, 0.45, 0.0, 0.058, 0.025),
    Product("TL02", "设备抵押贷款", TERM, 0.30, 0.0, 0.051, 0.025),
    Product("TC01", "赊销账期", INVOICE, 0.55, 0.20, None, 0.030),
)
_COMPETITORS = ("同业甲", "同业乙", "同业丙", "同业丁")
_PARTNER_NAMES = (
    "云帆科技",
    "易享平台",
    "恒通车商",
    "众联家电",
    "汇达经纪",
    "信合中介",
    "城东网点",
    "快橙平台",
)
_MARKET = ((0.168, 200_000, 36), (0.1825, 100_000, None), (0.056, 30_000_000, 60), (0.0, 2_000_000, 3))


def products_table(effective_date: int) -> pl.DataFrame:
    """Rows of the source ``products``, in force from ``effective_date`` (a day number)."""
    return pl.DataFrame(
        {
            "product_id": [p.product_id for p in PRODUCTS],
            "name": [p.name for p in PRODUCTS],
            "product_type": [PRODUCT_TYPES[p.kind] for p in PRODUCTS],
            "lgd": [p.lgd for p in PRODUCTS],
            "ccf": [p.ccf for p in PRODUCTS],
            "annual_rate": [p.annual_rate for p in PRODUCTS],
            "funding_rate": [p.funding_rate for p in PRODUCTS],
            "effective_date": [effective_date] * len(PRODUCTS),
        }
    )


def partner_id(position: int) -> str:
    """Identifier of the partner at ``position`` in ``PARTNERS``."""
    return f"PT{position + 1:02d}"


def partners_table(effective_date: int) -> pl.DataFrame:
    """Rows of the source ``partners``."""
    return pl.DataFrame(
        {
            "partner_id": [partner_id(i) for i in range(len(PARTNERS))],
            "name": list(_PARTNER_NAMES),
            "channel": [channel for channel, _ in PARTNERS],
            "effective_date": [effective_date] * len(PARTNERS),
        }
    )


def competitor_products(seed: int, grid: MonthGrid) -> pl.DataFrame:
    """Quarterly observations of every competitor's offer for each product type but trade credit."""
    rng = stream(seed, "competitors")
    rows = []
    for month in range(grid.window_start, grid.count, 3):
        observed_on = int(grid.day(np.array([month]), np.array([15]))[0])
        for competitor, shift in zip(_COMPETITORS, (-0.06, -0.02, 0.02, 0.05), strict=True):
            for kind in (INSTALMENT, CARD, TERM):
                rate, amount, months = _MARKET[kind]
                quoted = round(rate * (1 + shift + 0.02 * rng.standard_normal()), 4)
                rows.append((competitor, PRODUCT_TYPES[kind], quoted, amount * 100, months, observed_on))
    return pl.DataFrame(
        rows,
        schema={
            "competitor": pl.String,
            "product_type": pl.String,
            "annual_rate": pl.Float64,
            "max_amount": pl.Int64,
            "max_term_months": pl.Int64,
            "observed_on": pl.Int64,
        },
        orient="row",
    )
