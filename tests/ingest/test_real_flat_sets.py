"""The real receivables, Polish statements and German applications reconcile to the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditops.errors import UsageError
from creditops.ingest.land.adapted import land_adapted
from creditops.settings import get_settings
from creditops.sources.contract import SOURCES_FOLDER, load_contract
from tests.ingest.real_books import ledger, load_real, select


@pytest.fixture(scope="module")
def books(module_warehouse: str, shared_data: Path) -> None:
    load_real("ibm_receivables", "trade_receivables", shared_data / "ibm_accounts_receivable")
    load_real("polish_bankruptcy", "polish_firms", shared_data / "polish_bankruptcy")
    load_real("german_credit", "german_credit", shared_data / "german_credit")


@pytest.mark.usefixtures("books")
class TestReceivables:
    def test_every_invoice_arrives(self) -> None:
        assert ledger("trade_receivables") == {
            "products": (1, 1, 0, 0),
            "customers": (100, 100, 0, 0),
            "facilities": (100, 100, 0, 0),
            "due_items": (2466, 2466, 0, 0),
            "payments": (2466, 2466, 0, 0),
            "disputes": (561, 561, 0, 0),
        }

    def test_days_late_and_days_to_settle_follow_from_the_loaded_dates(self, shared_data: Path) -> None:
        import polars as pl

        file = shared_data / "ibm_accounts_receivable" / "WA_Fn-UseC_-Accounts-Receivable.csv"
        said = pl.read_csv(file, infer_schema=False)
        expected = {
            (row["invoiceNumber"], int(row["DaysToSettle"]), int(row["DaysLate"]), row["InvoiceAmount"])
            for row in said.iter_rows(named=True)
        }
        found = select(
            "select d.due_item_id, p.value_date - d.issued_on, greatest(p.value_date - d.due_date, 0),"
            " d.amount_due::double precision from raw.due_items d"
            " join raw.payments p on p.book = d.book and p.due_item_id = d.due_item_id"
            " and p.facility_id = d.facility_id and p.amount = d.amount_due"
            " where d.book = 'trade_receivables'"
        )
        assert {(n, a, b, float(c)) for n, a, b, c in expected} == set(found)

    def test_a_dispute_is_not_known_before_the_customer_fails_to_pay(self) -> None:
        assert select(
            "select count(*), count(*) filter (where s.opened_on > d.due_date or s.closed_on is not null),"
            " count(*) filter (where s.loaded_at < d.loaded_at) from raw.disputes s"
            " join raw.due_items d on d.book = s.book and d.due_item_id = s.due_item_id"
            " where s.book = 'trade_receivables'"
        ) == [(561, 0, 0)]

    def test_a_payment_is_known_on_the_day_it_was_made_not_before(self) -> None:
        assert select(
            "select count(*) from raw.payments where book = 'trade_receivables'"
            " and (loaded_at at time zone 'Asia/Shanghai')::date <> value_date"
        ) == [(0,)]


@pytest.mark.usefixtures("books")
class TestPolishFirms:
    def test_every_statement_arrives(self) -> None:
        assert ledger("polish_firms") == {
            "customers": (7027, 7027, 0, 0),
            "characteristics": (7027, 7027, 0, 0),
            "outcomes": (7027, 7027, 0, 0),
        }

    def test_bankruptcies_are_as_in_the_file_and_known_only_afterwards(self) -> None:
        assert select(
            'select count(*) filter (where "default"), min(loaded_at)::date > max(observed_on) + 1800'
            " from raw.outcomes where book = 'polish_firms'"
        ) == [(271, True)]

    def test_the_first_and_the_last_statement_keep_their_ratios(self) -> None:
        found = select(
            "select customer_id, attr1, attr2, attr5 from raw.characteristics_polish_firms"
            " where customer_id in ('PL00001', 'PL07027') order by customer_id"
        )
        assert found[0] == ("PL00001", 0.20055, 0.37951, 32.351)
        assert found[1] == ("PL07027", 0.014946, 0.94648, -20.581)

    def test_each_ratio_has_a_meaning_in_both_languages(self) -> None:
        ratios = load_contract("characteristics", "polish_firms").columns[2:]
        assert [column.name for column in ratios] == [f"attr{number}" for number in range(1, 65)]
        assert len({column.description.en for column in ratios}) == 64
        assert len({column.description.zh for column in ratios}) == 64


@pytest.mark.usefixtures("books")
class TestGermanCredit:
    def test_every_application_arrives(self) -> None:
        assert ledger("german_credit") == {
            "products": (1, 1, 0, 0),
            "customers": (1000, 1000, 0, 0),
            "applications": (1000, 1000, 0, 0),
            "characteristics": (1000, 1000, 0, 0),
            "outcomes": (1000, 1000, 0, 0),
        }

    def test_codes_and_amounts_are_as_in_the_file(self) -> None:
        assert select(
            "select sum(amount), sum(term_months), count(*) filter (where checking_account = 'none'),"
            " count(*) filter (where purpose = 'other'), count(*) filter (where telephone)"
            " from raw.characteristics_german_credit"
        ) == [(3_271_258, 20_903, 394, 12, 404)]
        assert select("select count(*) from raw.outcomes where book = 'german_credit' and \"default\"") == [
            (300,)
        ]

    def test_attributes_that_decisions_may_not_rest_on_are_marked(self) -> None:
        columns = load_contract("characteristics", "german_credit").columns
        assert {c.name for c in columns if c.protected} == {"personal_status", "age", "foreign_worker"}


@pytest.mark.usefixtures("books")
class TestAnotherBook:
    def test_a_book_without_the_columns_is_told_what_to_declare(self, shared_data: Path) -> None:
        with pytest.raises(UsageError, match="other_firms declares no column 'attr1'") as told:
            land_adapted("other_firms", [shared_data / "polish_bankruptcy"], "polish_bankruptcy", None)
        assert told.value.hint is not None
        assert "books/other_firms/characteristics.yml" in told.value.hint
        assert not (get_settings().landing / "other_firms").exists()

    def test_a_book_that_declares_the_columns_takes_the_set(self, shared_data: Path) -> None:
        declared = get_settings().home / "contracts" / "books" / "other_credit" / "characteristics.yml"
        declared.parent.mkdir(parents=True, exist_ok=True)
        own = SOURCES_FOLDER / "books" / "german_credit" / "characteristics.yml"
        declared.write_text(own.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            load_real("german_credit", "other_credit", shared_data / "german_credit")
            assert ledger("other_credit") == ledger("german_credit")
            assert select("select count(*) from raw.characteristics_other_credit") == [(1000,)]
        finally:
            declared.unlink()

    def test_a_set_without_columns_of_its_own_loads_into_any_book(
        self, shared_data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDITOPS_BOOK_CURRENCIES", '{"other_receivables": "USD"}')
        get_settings.cache_clear()
        load_real("ibm_receivables", "other_receivables", shared_data / "ibm_accounts_receivable")
        assert ledger("other_receivables") == ledger("trade_receivables")
