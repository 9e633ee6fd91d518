"""Features of the real VAT invoices against a plain reading of the files, firm by firm and month by month."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from creditops.build import build
from tests.dbt.warehouse_rows import month_ends, rows
from tests.ingest.real_books import load_real

BOOK = "sme_invoices"
AS_OF = date(2020, 2, 29)
# Small firms and middling ones, with red-letter and void invoices, gaps of months, and one that stopped.
FIRMS = ("E17", "E31", "E46", "E59", "E82", "E97", "E101", "E110", "E118", "E123")
FILES = {
    "credit_history_input_invoices.csv.gz": ("purchase", "销方单位代号"),
    "credit_history_output_invoices.csv.gz": ("sale", "购方单位代号"),
}


@dataclass(frozen=True)
class Invoice:
    firm: str
    direction: str
    number: str
    month_no: int
    day: int
    counterparty: str
    cents: int
    is_void: bool


def month_no(day: date) -> int:
    return day.year * 12 + day.month


def cents(text: str) -> int:
    return int((Decimal(text) * 100).to_integral_value())


@pytest.fixture(scope="module")
def invoices(
    module_warehouse: str, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[Invoice]]:
    """Invoices of some firms, exact repeats once, loaded through the adapter and built."""
    source = shared_data / "cumcm2020c_sme_invoices"
    folder = tmp_path_factory.mktemp("invoices")
    found: dict[str, set[Invoice]] = defaultdict(set)
    firms = (source / "credit_history_enterprises.csv").read_text(encoding="utf-8-sig").splitlines()
    kept = [line for line in firms if line.split(",")[0] in ("企业代号", *FIRMS)]
    (folder / "credit_history_enterprises.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    for name, (direction, counterparty) in FILES.items():
        with gzip.open(source / name, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines = [line for line in reader if line["企业代号"] in FIRMS]
        with (folder / name.removesuffix(".gz")).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
        for line in lines:
            year, month, day = (int(part) for part in line["开票日期"].split("/"))
            invoice = Invoice(
                firm=line["企业代号"],
                direction=direction,
                number=line["发票号码"],
                month_no=year * 12 + month,
                day=day,
                counterparty=line[counterparty].strip(),
                cents=cents(line["金额"]),
                is_void=line["发票状态"].strip() == "作废发票",
            )
            found[invoice.firm].add(invoice)
    load_real("cumcm_sme_invoices", BOOK, folder)
    build(BOOK, AS_OF)
    return found


def growth(now: int, before: int) -> float | None:
    return now / before - 1 if before > 0 else None


def expected(own: set[Invoice], observed: int) -> dict[str, object]:
    """The definitions, one invoice at a time."""
    known = [invoice for invoice in own if invoice.month_no <= observed]
    valid = [invoice for invoice in known if not invoice.is_void]
    history = observed - min(invoice.month_no for invoice in own) + 1

    def total(direction: str, first: int, last: int) -> int:
        return sum(
            i.cents for i in valid if i.direction == direction and first <= observed - i.month_no <= last
        )

    year = [i for i in known if observed - i.month_no < 12]
    sales, purchases = total("sale", 0, 11), total("purchase", 0, 11)
    sold = [i.month_no for i in valid if i.direction == "sale" and observed - i.month_no < 24]
    void = sum(i.is_void for i in year)
    shares: dict[str, list[float]] = {}
    for direction in ("sale", "purchase"):
        by: dict[str, int] = defaultdict(int)
        for i in year:
            if i.direction == direction and not i.is_void:
                by[i.counterparty] += i.cents
        positive = sorted((amount for amount in by.values() if amount > 0), reverse=True)
        shares[direction] = [amount / sum(positive) for amount in positive]
    return {
        "history_months": history,
        "sales_12m": Decimal(sales) / 100,
        "purchases_12m": Decimal(purchases) / 100,
        "sales_growth_qoq": growth(total("sale", 0, 2), total("sale", 3, 5)) if history >= 6 else None,
        "sales_growth_yoy": growth(total("sale", 0, 2), total("sale", 12, 14)) if history >= 15 else None,
        "sales_growth_12m": growth(sales, total("sale", 12, 23)) if history >= 24 else None,
        "margin_12m": (sales - purchases) / sales if sales > 0 else None,
        "active_months_12m": len({month for month in sold if observed - month < 12}),
        "months_since_last_sale": observed - max(sold) if sold else None,
        "invoices_12m": len(year),
        "void_rate_12m": void / len(year) if year else None,
        "red_letter_rate_12m": (
            sum(i.cents < 0 and not i.is_void for i in year) / (len(year) - void)
            if len(year) > void
            else None
        ),
        "buyers_12m": len(shares["sale"]),
        "top_buyer_share_12m": max(shares["sale"], default=None),
        "buyer_hhi_12m": sum(s * s for s in shares["sale"]) if shares["sale"] else None,
        "suppliers_12m": len(shares["purchase"]),
        "top_supplier_share_12m": max(shares["purchase"], default=None),
        "supplier_hhi_12m": sum(s * s for s in shares["purchase"]) if shares["purchase"] else None,
    }


def test_features_of_every_firm_and_month_follow_from_its_invoices(invoices: dict[str, set[Invoice]]) -> None:
    found = {
        (row["customer_id"], row["observation_date"]): row
        for row in rows("select * from features.feat_sme_invoice where book = %s", BOOK)
    }
    keys = set()
    for firm, own in invoices.items():
        first = min(invoice.month_no for invoice in own)
        start = date((first - 1) // 12, (first - 1) % 12 + 1, 1)
        for observed in month_ends(start, AS_OF):
            keys.add((firm, observed))
            for name, value in expected(own, month_no(observed)).items():
                shown = found[firm, observed][name]
                wanted = pytest.approx(value) if isinstance(value, float) else value
                assert shown == wanted, (firm, observed, name)
    assert set(found) == keys
    assert set(invoices) == set(FIRMS)


def test_the_months_of_a_firm_add_up_to_its_invoices(invoices: dict[str, set[Invoice]]) -> None:
    found = rows(
        "select customer_id, sum(sales) as sales, sum(purchases) as purchases, sum(void_invoices) as void,"
        " sum(red_invoices) as red from marts.fct_sme_month where book = %s group by customer_id",
        BOOK,
    )
    for row in found:
        own = invoices[row["customer_id"]]
        valid = [i for i in own if not i.is_void]
        assert row["sales"] * 100 == sum(i.cents for i in valid if i.direction == "sale")
        assert row["purchases"] * 100 == sum(i.cents for i in valid if i.direction == "purchase")
        assert row["void"] == sum(i.is_void for i in own)
        assert row["red"] == sum(i.cents < 0 for i in valid)
    assert {row["customer_id"] for row in found} == set(FIRMS)
