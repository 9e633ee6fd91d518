"""Random edges written into the files of a simulated book: what real books hold and simulators avoid.

Reversals, named payments a cent or two short, red-letter items on every kind of facility, credits,
closings with arrears, write-offs inside a month, facilities and customers that move, limits that change,
fees paid at disbursal, distressed restructuring, manual classes, ties on dates, disputes that open and
close, payments and corrections that come with a later delivery.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

Row = dict[str, str]


class Book:
    """The rows of a folder of source files, by file name without its ending."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, list[Row]] = {}
        self.columns: dict[str, list[str]] = {}
        for path in sorted(folder.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self.columns[path.stem] = list(reader.fieldnames or ())
                self.files[path.stem] = list(reader)

    def add(self, source: str, **values: str) -> Row:
        """A new row of a file; what is not given stays empty."""
        row = dict.fromkeys(self.columns[source], "") | values
        self.files[source].append(row)
        return row

    def write(self, folder: Path, names: Sequence[str] | None = None) -> None:
        """Write the files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in names or list(self.files):
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, self.columns[name], lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.files[name])


def day(text: str) -> date:
    return date.fromisoformat(text)


def money(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def cents(text: str) -> int:
    whole, _, part = text.lstrip("-").partition(".")
    return (-1 if text.startswith("-") else 1) * (int(whole or 0) * 100 + int((part + "00")[:2]))


def add_edges(source: Path, target: Path, *, seed: int, as_of: date, share: float = 0.12) -> None:
    """Copy a simulated book with edges on about ``share`` of its facilities for each kind of edge."""
    _Edges(Book(source), random.Random(seed), as_of, share).write(target)


class _Edges:
    def __init__(self, book: Book, rng: random.Random, as_of: date, share: float) -> None:
        self.book, self.rng, self.as_of, self.share = book, rng, as_of, share
        self.number = 0
        files = book.files
        self.versions: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(files["facilities"], key=lambda row: row["effective_date"]):
            self.versions[row["facility_id"]].append(row)
        self.items: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(files["due_items"], key=lambda row: row["due_date"]):
            self.items[row["facility_id"]].append(row)
        self.payments: dict[str, list[Row]] = defaultdict(list)
        for row in files["payments"]:
            self.payments[row["facility_id"]].append(row)
        self.types = {row["product_id"]: row["product_type"] for row in files["products"]}
        self.moved: set[str] = set()

    def write(self, target: Path) -> None:
        for edge in (
            self.upfront_fees, self.partial_and_tied_payments, self.reversals, self.named_short,
            self.red_letters, self.credits, self.close_with_arrears, self.write_off, self.move,
            self.change_limit, self.restructure, self.manual_class, self.disputes, self.ties,
            self.group_trees, self.statement_ties, self.bureau_ties,
        ):  # fmt: skip
            edge()
        self.book.write(target)

    # -- helpers -----------------------------------------------------------------------------------

    def pick(self, share: float | None = None, kinds: Sequence[str] = ()) -> list[str]:
        wanted = [
            key
            for key, rows in self.versions.items()
            if not kinds or self.types[rows[-1]["product_id"]] in kinds
        ]
        return [key for key in wanted if self.rng.random() < (self.share if share is None else share)]

    def new(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number:08d}"

    def kind(self, facility: str) -> str:
        return self.types[self.versions[facility][-1]["product_id"]]

    def open_version(self, facility: str) -> Row | None:
        last = self.versions[facility][-1]
        return last if last["status"] == "active" and not last["closed_on"] else None

    def state(self, facility: str, on: date, **changes: str) -> None:
        """A new version of a facility from a day on, unless it has one of that day or a later one."""
        last = self.versions[facility][-1]
        if last["effective_date"] >= on.isoformat():
            return
        row = self.book.add("facilities", **{**last, "effective_date": on.isoformat(), **changes})
        self.versions[facility].append(row)

    def pay(self, facility: str, on: date, amount: int, item: str = "", reverses: str = "") -> Row:
        on = min(on, self.as_of)
        row = self.book.add(
            "payments", payment_id=self.new("XP"), facility_id=facility, due_item_id=item, payer="customer",
            value_date=on.isoformat(), booked_at=f"{on}T04:00:00Z", amount=money(amount), currency="CNY",
            reverses_payment_id=reverses,
        )  # fmt: skip
        self.payments[facility].append(row)
        return row

    def owe(self, facility: str, kind: str, issued: date, due: date, amount: int, principal: int) -> Row:
        row = self.book.add(
            "due_items", due_item_id=self.new("XD"), facility_id=facility, kind=kind, currency="CNY",
            issued_on=issued.isoformat(), due_date=due.isoformat(), amount_due=money(amount),
            principal=money(principal), interest="0.00", fee=money(amount - principal),
        )  # fmt: skip
        self.items[facility].append(row)
        return row

    def past(self, facility: str) -> list[Row]:
        return [row for row in self.items[facility] if row["due_date"] < self.as_of.isoformat()]

    def some_day(self, first: date, last: date) -> date:
        return first + timedelta(self.rng.randrange(max(1, (last - first).days)))

    # -- edges -------------------------------------------------------------------------------------

    def upfront_fees(self) -> None:
        for facility in self.pick(kinds=("instalment_loan", "term_loan")):
            opened = day(self.versions[facility][0]["opened_on"])
            amount = self.rng.randrange(5_000, 60_000)
            self.owe(facility, "fee", opened, opened, amount, 0)
            if self.rng.random() < 0.7:
                self.pay(facility, opened, amount)

    def partial_and_tied_payments(self) -> None:
        """A payment arrives in parts: on its day, on a tie of it, days or months later, or never whole."""
        for facility in self.pick():
            for row in self.rng.sample(self.payments[facility], min(3, len(self.payments[facility]))):
                whole = cents(row["amount"])
                if whole < 1000 or row["reverses_payment_id"]:
                    continue
                first = self.rng.choice([whole // 2, whole - 1, whole - 2, whole // 3])
                row["amount"] = money(first)
                lag = self.rng.choice([0, 0, 1, 29, 30, 31, 60, 61, 90, 91, 92, 200, None])
                if lag is not None:
                    self.pay(
                        facility, day(row["value_date"]) + timedelta(lag), whole - first, row["due_item_id"]
                    )

    def reversals(self) -> None:
        reversed_already = {row["reverses_payment_id"] for row in self.book.files["payments"]}
        for facility in self.pick():
            rows = [
                row for row in self.payments[facility]
                if not row["reverses_payment_id"] and row["payment_id"] not in reversed_already
            ]  # fmt: skip
            for row in self.rng.sample(rows, min(2, len(rows))):
                on = day(row["value_date"]) + timedelta(self.rng.choice([0, 1, 5, 40, 100]))
                if on > self.as_of:
                    continue
                named = row["due_item_id"] if self.rng.random() < 0.5 else ""
                self.pay(facility, on, -cents(row["amount"]), named, row["payment_id"])
                if self.rng.random() < 0.6:
                    again = on + timedelta(self.rng.choice([0, 3, 33, 95]))
                    self.pay(facility, again, cents(row["amount"]), row["due_item_id"])

    def named_short(self) -> None:
        """Invoices paid by name: exact, one or two cents short, over, early, and named twice."""
        for facility in self.pick(0.8, kinds=("trade_credit",)):
            open_items = [row for row in self.past(facility) if cents(row["amount_due"]) > 1000]
            for row in self.rng.sample(open_items, min(6, len(open_items))):
                amount = cents(row["amount_due"]) + self.rng.choice([0, -1, -2, -3, 50, -5000])
                on = day(row["due_date"]) + timedelta(self.rng.choice([-5, 0, 1, 15, 35, 95]))
                if on >= day(row["issued_on"]):
                    self.pay(facility, on, amount, row["due_item_id"])

    def red_letters(self) -> None:
        for facility in self.pick(0.08):
            past = [row for row in self.past(facility) if cents(row["amount_due"]) > 1000]
            if not past:
                continue
            row = self.rng.choice(past)
            issued = max(day(row["issued_on"] or row["due_date"]), day(row["due_date"]) - timedelta(20))
            due = min(issued + timedelta(self.rng.choice([0, 10, 60])), self.as_of)
            amount = -self.rng.choice([cents(row["amount_due"]), cents(row["amount_due"]) // 3, 777])
            self.owe(facility, row["kind"], min(issued, due), due, amount, amount)

    def credits(self) -> None:
        for facility in self.pick(0.05):
            opened = day(self.versions[facility][0]["opened_on"])
            if self.past(facility):
                amount = self.rng.choice([1, 2, 100, 5_000, 40_000_000])
                self.pay(facility, self.some_day(opened, self.as_of), amount)

    def close_with_arrears(self) -> None:
        for facility in self.pick(0.06):
            if self.open_version(facility) is None:
                continue
            past = self.past(facility)
            if len(past) < 4:
                continue
            on = day(past[-1]["due_date"]) - timedelta(self.rng.choice([0, 5, 20, 64]))
            self.state(facility, on, status="closed", closed_on=on.isoformat())

    def write_off(self) -> None:
        for facility in self.pick(0.04):
            if self.open_version(facility) is None or len(self.past(facility)) < 6:
                continue
            past = self.past(facility)
            on = day(past[-self.rng.randrange(1, min(6, len(past)))]["due_date"]) + timedelta(3)
            on = min(on, self.as_of)
            self.state(facility, on, status="written_off", closed_on=on.isoformat())
            if self.rng.random() < 0.5:
                self.pay(
                    facility, on + timedelta(self.rng.choice([1, 20, 50])), self.rng.randrange(1_000, 90_000)
                )

    def move(self) -> None:
        people: dict[str, list[str]] = defaultdict(list)
        kinds = {row["customer_id"]: row["customer_type"] for row in self.book.files["customers"]}
        for customer, kind in kinds.items():
            people[kind].append(customer)
        for facility in self.pick(0.03):
            opened, holder = (
                day(self.versions[facility][0]["opened_on"]),
                self.versions[facility][-1]["customer_id"],
            )
            last = day(self.versions[facility][-1]["effective_date"])
            on = self.some_day(max(opened, last) + timedelta(5), self.as_of)
            if on < self.as_of:
                self.state(facility, on, customer_id=self.rng.choice(people[kinds[holder]]))

    def change_limit(self) -> None:
        snapshots: dict[str, list[Row]] = defaultdict(list)
        for row in self.book.files["facility_snapshots"]:
            snapshots[row["facility_id"]].append(row)
        for facility in self.pick(kinds=("revolving_card", "trade_credit")):
            version = self.open_version(facility)
            if version is None:
                continue
            for _ in range(self.rng.randrange(1, 3)):
                last = self.versions[facility][-1]
                on = self.some_day(day(last["effective_date"]) + timedelta(1), self.as_of)
                limit = cents(last["credit_limit"]) * self.rng.choice([1, 3, 5]) // 2
                if on <= self.as_of:
                    self.state(facility, on, credit_limit=money(limit))
                    for row in snapshots[facility]:
                        if row["month_end"] >= on.isoformat():
                            row["credit_limit"] = money(limit)

    def restructure(self) -> None:
        for facility in self.pick(0.02, kinds=("instalment_loan", "term_loan")):
            if self.open_version(facility) is not None and len(self.past(facility)) > 3:
                self.state(
                    facility, day(self.past(facility)[2]["due_date"]) + timedelta(40), status="restructured"
                )

    def manual_class(self) -> None:
        grades = ("pass", "special_mention", "substandard", "doubtful", "loss")
        for facility in self.pick(0.03):
            if self.open_version(facility) is None:
                continue
            first = self.some_day(
                day(self.versions[facility][-1]["effective_date"]) + timedelta(1), self.as_of
            )
            self.state(facility, first, manual_class=self.rng.choice(grades))
            if self.rng.random() < 0.4 and first + timedelta(60) < self.as_of:
                self.state(facility, first + timedelta(60), manual_class="")

    def disputes(self) -> None:
        known = {row["due_item_id"] for row in self.book.files["disputes"]}
        for facility in self.pick(0.6, kinds=("trade_credit",)):
            rows = [row for row in self.past(facility) if cents(row["amount_due"]) > 1000]
            for row in self.rng.sample(rows, min(3, len(rows))):
                if row["due_item_id"] in known:
                    continue
                opened = min(day(row["due_date"]) + timedelta(self.rng.choice([-3, 0, 20, 95])), self.as_of)
                closed = self.rng.choice(
                    [None, opened, opened + timedelta(1), opened + timedelta(45), self.as_of]
                )
                told = closed.isoformat() if closed and closed <= self.as_of else ""
                self.book.add(
                    "disputes", dispute_id=self.new("XS"), due_item_id=row["due_item_id"],
                    opened_on=opened.isoformat(), closed_on=told, amount=row["amount_due"],
                    outcome="rejected" if told else "",
                )  # fmt: skip

    def ties(self) -> None:
        """Items of one facility fall due on one day, with other amounts, and one payment covers only some."""
        for facility in self.pick(0.05):
            past = [row for row in self.past(facility) if cents(row["amount_due"]) > 1000]
            if not past:
                continue
            row = self.rng.choice(past)
            issued, due = day(row["issued_on"] or row["due_date"]), day(row["due_date"])
            amount = self.rng.randrange(1_000, 50_000)
            self.owe(facility, "fee" if row["kind"] != "invoice" else "invoice", issued, due, amount, 0)
            if self.rng.random() < 0.7:
                self.pay(facility, due + timedelta(self.rng.choice([0, 10, 40])), amount)

    def group_trees(self) -> None:
        """Corporates join groups, groups have parents and grandparents."""
        groups = self.book.files["groups"]
        if len(groups) < 4:
            return
        first = max(row["effective_date"] for row in groups)
        groups[1]["parent_group_id"] = groups[0]["group_id"]
        self.book.add("groups", group_id="XG00001", name="甲集团", parent_group_id=groups[1]["group_id"],
                      effective_date=first)  # fmt: skip
        names = [row["group_id"] for row in groups]
        for row in self.book.files["customers"]:
            if row["customer_type"] == "corporate" and not row["group_id"] and self.rng.random() < 0.15:
                row["group_id"] = self.rng.choice(names)

    def statement_ties(self) -> None:
        """A statement published twice, and the periods of one day with different lengths."""
        rows = self.book.files["statements"]
        for row in self.rng.sample(rows, min(15, len(rows))):
            on = day(row["published_on"]) + timedelta(self.rng.choice([1, 40]))
            if on <= self.as_of:
                revenue = money(cents(row["revenue"]) * 9 // 10)
                self.book.files["statements"].append(
                    {**row, "published_on": on.isoformat(), "revenue": revenue}
                )

    def bureau_ties(self) -> None:
        """Two reports about a customer on one day, from two bureaus."""
        rows = self.book.files["bureau_reports"]
        lines: dict[str, list[Row]] = defaultdict(list)
        for row in self.book.files["bureau_tradelines"]:
            lines[row["report_id"]].append(row)
        for row in self.rng.sample(rows, min(40, len(rows))):
            number = self.new("XR")
            rows.append({**row, "report_id": number, "bureau": "pboc"})
            for line in lines[row["report_id"]]:
                worse = {**line, "report_id": number, "balance": money(cents(line["balance"]) * 2)}
                self.book.files["bureau_tradelines"].append(worse)


KNOWN_FROM = {
    "applications": "stage_at", "bureau_reports": "pulled_on", "collection_actions": "acted_at",
    "competitor_products": "observed_on", "customers": "effective_date", "disputes": "opened_on",
    "disputes.resolved": "closed_on", "due_items": "issued_on", "facilities": "effective_date",
    "facility_snapshots": "month_end", "groups": "effective_date", "industry_series": "published_on",
    "macro_series": "published_on", "partners": "effective_date", "payments": "value_date",
    "products": "effective_date", "promises": "promised_on", "sme_invoices": "issued_on",
    "statements": "published_on", "statements.restated": "published_on",
}  # fmt: skip
OF_A_REPORT = ("bureau_tradelines", "bureau_inquiries", "bureau_public_records")
LATE_SHARE = 0.01


def deliver_twice(source: Path, first: Path, second: Path, *, day: date, seed: int) -> None:
    """Split a book into what is delivered on a day and what comes later.

    Some payments and states of facilities come late, and some payments come first with another amount, which
    the second delivery corrects.
    """
    book, rng = Book(source), random.Random(seed)
    early = Book(source)
    on = day.isoformat()
    reports = {row["report_id"] for row in book.files["bureau_reports"] if row["pulled_on"] <= on}
    for name, rows in book.files.items():
        kept: list[Row] = []
        later: list[Row] = []
        for row in rows:
            if name in OF_A_REPORT:
                known = row["report_id"] in reports
            else:
                known = (row[KNOWN_FROM[name]] or row.get("due_date", ""))[:10] <= on
            is_late = name in ("payments", "facilities") and rng.random() < LATE_SHARE
            if name == "facilities" and is_late:
                is_late = row["opened_on"] < row["effective_date"]
            if not known or is_late:
                later.append(row)
            elif name == "payments" and not row["reverses_payment_id"] and rng.random() < LATE_SHARE:
                kept.append({**row, "amount": money(cents(row["amount"]) + rng.choice([-100, 1, 5_000]))})
                later.append(row)
            else:
                kept.append(row)
        early.files[name], book.files[name] = kept, later
    early.write(first, [name for name, rows in early.files.items() if rows])
    book.write(second, [name for name, rows in book.files.items() if rows])
