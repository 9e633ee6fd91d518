"""Five-tier class and default (docs/domain.md).

Spans are half-open, ``[begin, end)`` in days; ``date.max`` ends what lasts.

Readings taken where docs/domain.md leaves a choice:

- "On time" in the period of an upgrade means never a day past due; it begins on the first day with
  nothing past due and no manual class that is non-performing. Fees are no instalments; where the schedule
  has fewer than two left, its last counts, and six months where it has none.
- A facility waits for its customer's other claims that are non-performing on their own account.
- Contagion is looked at on month ends with the balances of that day and holds to the next. Claims that
  wait for their upgrade still count as non-performing, so what they struck is upgraded with them; where
  they go otherwise (written off, sold, paid), it is upgraded six months later.
- A written-off line of a bureau report counts for 24 months, by the letters W of its history; the sum of
  all debt keeps it.
- A write-off stays a default; of a firm it holds the obligor in default. A firm whose facility in default is
  paid up or sold is cured on the 90th day after, and what it opens before that is in default.
- A claim that is non-performing on its own account is not struck by contagion as well.
- Retail pulling is looked at on month ends and holds to the next. What is pulled is in default like anything
  else: it is cured 90 days after its cause, or its own arrears, have ended; where the share only waits for
  its cure, with that.
- What has ended, written off or closed with nothing unsettled, stays with the one who held it then.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from tests.audit.oracle_bureau import Bureau
from tests.audit.oracle_panel import CLOSED, NOT_YET, WRITTEN_OFF, Cell, Panel
from tests.audit.oracle_settlement import NEVER
from tests.audit.sources import add_months, cents, day, month_end

Span = tuple[date, date]
CLASSES = ("pass", "special_mention", "substandard", "doubtful", "loss")
LOAN_LIMITS, CARD_LIMITS = (0, 90, 270, 360), (0, 90, 120, 180)
SUBSTANDARD = 2
CONTAGION, ELSEWHERE, PULLING = 0.10, 0.20, 0.20
CURE, CURE_RESTRUCTURED = 90, 365
ONE = timedelta(1)


def merged(spans: list[Span]) -> list[Span]:
    """Spans in order, those that overlap or touch made one."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def covers(spans: list[Span], on: date) -> bool:
    return any(begin <= on < end for begin, end in spans)


@dataclass(frozen=True)
class Claim:
    """A time in which a facility is non-performing on its own account; ``dirty``: its cause lasts."""

    begin: date
    end: date
    dirty: tuple[Span, ...]


class Classes:
    """Classes and defaults of every facility of a panel."""

    def __init__(self, panel: Panel) -> None:
        self.panel, self.as_of = panel, panel.sources.as_of
        self.corporate = {
            key for key, v in panel.sources.versions("customers", "customer_id").items()
            if v.rows[-1]["customer_type"] == "corporate"
        }  # fmt: skip
        self.bureau = Bureau(panel.sources)

    # -- who held what, and until when -------------------------------------------------------------

    @cached_property
    def life(self) -> dict[str, Span]:
        """From opening to the day on which it is closed with nothing unsettled, or written off."""
        found = {}
        for facility, opened in self.panel.opened.items():
            end = NEVER
            gone = self.panel.written_off_on(facility, self.as_of)
            row = self.panel.version(facility, self.as_of)
            if gone is not None:
                end = gone
            elif (paid_up := self.panel.paid_up_on(facility)) is not None:
                end = paid_up
            elif row["closed_on"] and self.panel.state(facility, self.as_of) == CLOSED:
                account = self.panel.accounts[facility]
                settled = max(
                    (account.settled_on(item) or date.min for item in account.items), default=date.min
                )
                end = max(day(row["closed_on"]), settled)
            found[facility] = (opened, end)
        return found

    def holding(self, facility: str) -> list[tuple[str, Span]]:
        """Customers who held a facility, each with the span."""
        versions = self.panel.sources.facilities[facility]
        opened, end = self.life[facility]
        found: list[tuple[str, Span]] = []
        for row, start in zip(versions.rows, versions.days, strict=True):
            start = max(start, opened) if found else opened
            if found and start >= end:
                break
            if found and found[-1][0] == row["customer_id"]:
                continue
            if found:
                found[-1] = (found[-1][0], (found[-1][1][0], start))
            found.append((row["customer_id"], (start, end)))
        return [(customer, span) for customer, span in found if span[0] < span[1]]

    @cached_property
    def held(self) -> dict[str, list[tuple[str, Span]]]:
        """Facilities of a customer, each with the span."""
        found: dict[str, list[tuple[str, Span]]] = defaultdict(list)
        for facility in self.panel.opened:
            for customer, span in self.holding(facility):
                found[customer].append((facility, span))
        return found

    # -- class -------------------------------------------------------------------------------------

    def manual_spans(self, facility: str, worst: int) -> list[Span]:
        """When a person's class was at least so bad."""
        versions = self.panel.sources.facilities[facility]
        found = []
        for place, row in enumerate(versions.rows):
            end = versions.days[place + 1] if place + 1 < len(versions.rows) else NEVER
            if row["manual_class"] and CLASSES.index(row["manual_class"]) >= worst:
                found.append((versions.days[place], end))
        return merged(found)

    def _spans_over(self, facility: str, days: int) -> list[Span]:
        return [
            (first, NEVER if last >= self.as_of else last + ONE)
            for first, last in self.panel.accounts[facility].spans_over(days, self.as_of)
        ]

    def _upgrade(self, facility: str, clean: date) -> date:
        """First day on which a facility that is clean from a day on may be upgraded."""
        dues = [
            item.due
            for item in self.panel.accounts[facility].items
            if item.kind != "fee" and item.due > clean
        ]
        second = dues[1] if len(dues) > 1 else dues[-1] if dues else clean
        return max(add_months(clean, 6), second)

    def _claims(self, facility: str, triggers: list[date], dirty: list[Span]) -> list[Claim]:
        """From each trigger to the upgrade; a dirty day before it begins the period anew."""
        claims: list[Claim] = []
        for trigger in sorted(triggers):
            if claims and trigger < claims[-1].end:
                continue
            clean, seen = trigger, []
            while True:
                span = next((span for span in dirty if span[0] <= clean < span[1]), None)
                if span is not None:
                    seen.append((max(span[0], trigger), span[1]))
                    clean = span[1]
                if clean == NEVER:
                    end = NEVER
                    break
                end = self._upgrade(facility, clean)
                again = next((span for span in dirty if clean <= span[0] <= end), None)
                if again is None:
                    break
                clean = again[0]
            claims.append(Claim(trigger, min(end, self.life[facility][1]), tuple(seen)))
        return claims

    @cached_property
    def claims(self) -> dict[str, list[Claim]]:
        """Non-performing on own account: by days or by a person, until upgraded."""
        found = {}
        for facility in self.panel.opened:
            manual = self.manual_spans(facility, SUBSTANDARD)
            triggers = [begin for begin, _ in self._spans_over(facility, 90) + manual]
            found[facility] = self._claims(facility, triggers, merged(self._spans_over(facility, 0) + manual))
        return found

    @cached_property
    def waiting(self) -> dict[str, list[Span]]:
        """Claims, each lengthened until no other own claim of the holder is non-performing."""
        found = {}
        for facility, claims in self.claims.items():
            spans = []
            for claim in claims:
                end = claim.end
                while end < self.life[facility][1]:
                    holder = next((c for c, span in self.holding(facility) if span[0] <= end < span[1]), None)
                    others = [
                        min(other.end, span[1])
                        for each, span in self.held.get(holder or "", ())
                        if each != facility and span[0] <= end < span[1]
                        for other in self.claims[each]
                        if other.begin <= end < other.end
                    ]
                    if not others:
                        break
                    end = max(others)
                spans.append((claim.begin, min(end, self.life[facility][1])))
            found[facility] = merged(spans)
        return found

    @cached_property
    def contagion(self) -> dict[str, list[Span]]:
        """When a firm's facilities are non-performing by contagion, here or elsewhere, until upgraded."""
        by_customer: dict[str, dict[date, list[Cell]]] = defaultdict(lambda: defaultdict(list))
        for cell in self.panel.cells.values():
            if cell.customer in self.corporate:
                by_customer[cell.customer][cell.on].append(cell)
        found: dict[str, list[Span]] = defaultdict(list)
        struck: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for customer, months in by_customer.items():
            for on, cells in months.items():
                month = (on, month_end(on, 1))
                total = sum(cell.balance for cell in cells)
                bad = sum(cell.balance for cell in cells if covers(self.waiting[cell.facility], on))
                cause = sum(
                    cell.balance for cell in cells
                    if any(covers(list(claim.dirty), on) for claim in self.claims[cell.facility])
                )  # fmt: skip
                for cell in cells:
                    if covers(self.waiting[cell.facility], on):
                        continue
                    if bad > CONTAGION * total:
                        found[cell.facility].append(month)
                    if cause > CONTAGION * total:
                        struck[cell.facility, "here"].append(month)
                    if self._late_elsewhere(customer, cells, on):
                        struck[cell.facility, "elsewhere"].append(month)
        for (facility, _), spans in struck.items():
            dirty = merged(spans + self._spans_over(facility, 0))
            claims = self._claims(facility, [begin for begin, _ in merged(spans)], dirty)
            found[facility] += [(claim.begin, claim.end) for claim in claims]
        return {facility: merged(spans) for facility, spans in found.items()}

    def _late_elsewhere(self, customer: str, cells: list[Cell], on: date) -> bool:
        own = sum(cell.balance for cell in cells)
        own_late = sum(cell.balance for cell in cells if cell.clean_dpd > 90)
        for report in self.bureau.latest(customer, on)[:1]:
            total, late = own, own_late
            for line in self.bureau.lines.get(report["report_id"], ()):
                if line["guarantee"] == "true" or line["closed_on"]:
                    continue
                total += cents(line["balance"])
                written_off = line["status_now"] == "written_off"
                if (written_off and line["history"] != "W" * 24) or line["status_now"] in (
                    "4",
                    "5",
                    "6",
                    "7",
                ):
                    late += cents(line["balance"])
            return bool(total) and late > ELSEWHERE * total
        return False

    def class_of(self, cell: Cell) -> int:
        """Place in ``CLASSES`` of a facility at a month end."""
        limits = CARD_LIMITS if self.panel.kind(cell.facility) == "revolving_card" else LOAN_LIMITS
        found = sum(cell.clean_dpd > limit for limit in limits)
        if cell.manual:
            found = max(found, CLASSES.index(cell.manual))
        spans = self.waiting[cell.facility] + self.contagion.get(cell.facility, [])
        if covers(spans, cell.on):
            found = max(found, SUBSTANDARD)
        return found

    # -- default -----------------------------------------------------------------------------------

    @cached_property
    def own_defaults(self) -> dict[str, list[Span]]:
        """Spans of default by a facility's own events: class, restructuring, write-off."""
        found = {}
        for facility in self.panel.opened:
            spans = self.waiting[facility] + self.contagion.get(facility, [])
            restructured = next(
                (day(row["effective_date"]) for row in self.panel.sources.facilities[facility].rows
                 if row["status"] == "restructured"), None,
            )  # fmt: skip
            if restructured is not None:
                spans.append((restructured, self._cured(facility, restructured, CURE_RESTRUCTURED)))
            spans = [(begin, min(end, self.life[facility][1])) for begin, end in merged(spans)]
            if (gone := self.panel.written_off_on(facility, self.as_of)) is not None:
                spans.append((gone, NEVER))
            found[facility] = merged(spans)
        return found

    def _cured(self, facility: str, event: date, days: int) -> date:
        """First cured day: the last of so many in a row with nothing past due, from the event on."""
        clean = event
        for begin, end in self._spans_over(facility, 0):
            if end > clean and begin < clean + timedelta(days - 1) + ONE:
                clean = max(clean, end)
                if clean == NEVER:
                    return NEVER
        return clean + timedelta(days - 1)

    @cached_property
    def defaults(self) -> dict[str, list[Span]]:
        """Spans of default at its level: the obligor of firms, facility and pulling of people."""
        found: dict[str, list[Span]] = defaultdict(list)
        for customer, facilities in self.held.items():
            if customer in self.corporate:
                union = merged([
                    (max(begin, span[0]), end if end < span[1] else self._cured_after(facility, span[1]))
                    for facility, span in facilities
                    for begin, end in self.own_defaults[facility]
                    if begin < span[1] or (begin == span[1] and self._went_bad(facility, begin))
                ])  # fmt: skip
            for facility, span in facilities:
                spans = union if customer in self.corporate else self.own_defaults[facility]
                end = NEVER if self._went_bad(facility, span[1]) else span[1]
                found[facility] += [
                    (max(b, span[0]), min(e, end)) for b, e in spans if e > span[0] and b < end
                ]
        for facility, spells in self._pulled().items():
            found[facility] += self._pulled_runs(facility, spells)
        return {facility: merged(spans) for facility, spans in found.items()}

    def _dirty(self, facility: str) -> list[Span]:
        """Days past due, or classed as bad by a person."""
        return merged(self._spans_over(facility, 0) + self.manual_spans(facility, SUBSTANDARD))

    def _pulled(self) -> dict[str, list[tuple[date, bool]]]:
        """Month ends at which a person's facility is pulled, each with whether the cause lasts."""
        found: dict[str, list[tuple[date, bool]]] = defaultdict(list)
        for months in self._retail_months().values():
            for on, cells in months.items():
                total = sum(cell.balance for cell in cells)
                bad = {cell.facility for cell in cells if covers(self.own_defaults[cell.facility], on)}
                held = sum(cell.balance for cell in cells if cell.facility in bad)
                cause = sum(
                    cell.balance for cell in cells
                    if cell.facility in bad and covers(self._dirty(cell.facility), on)
                )  # fmt: skip
                if held > PULLING * total:
                    for cell in cells:
                        if cell.facility not in bad:
                            found[cell.facility].append((on, cause > PULLING * total))
        return found

    def _pulled_runs(self, facility: str, spells: list[tuple[date, bool]]) -> list[Span]:
        """From the first month end at which a facility is pulled until it is cured."""
        ends: list[tuple[date, date, bool]] = []
        for on, lasts in spells:
            end = month_end(on, 1)
            ends.append((on, end + timedelta(CURE - 1) if lasts else end, True))
        for begin, end in self._dirty(facility):
            ends.append((begin, NEVER if end == NEVER else end + timedelta(CURE - 1), False))
        runs: list[tuple[date | None, date]] = []
        for begin, end, pulls in sorted(ends):
            if runs and begin <= runs[-1][1]:
                first, last = runs[-1]
                runs[-1] = (first or (begin if pulls else None), max(last, end))
            else:
                runs.append((begin if pulls else None, end))
        found = []
        for first, last in runs:
            if first is not None:
                held = next(span for _, span in self.holding(facility) if covers([span], first))
                found.append((first, min(last, held[1])))
        return found

    def _cured_after(self, facility: str, gone: date) -> date:
        """When a firm is cured whose facility in default is paid up or sold: its 90th clean day."""
        return NEVER if gone == NEVER or self._went_bad(facility, gone) else gone + timedelta(CURE - 1)

    def _went_bad(self, facility: str, on: date) -> bool:
        return self.panel.written_off_on(facility, self.as_of) == on

    def _retail_months(self) -> dict[str, dict[date, list[Cell]]]:
        found: dict[str, dict[date, list[Cell]]] = defaultdict(lambda: defaultdict(list))
        for cell in self.panel.cells.values():
            if cell.customer not in self.corporate:
                found[cell.customer][cell.on].append(cell)
        return found

    @cached_property
    def first_default(self) -> dict[str, date]:
        return {facility: spans[0][0] for facility, spans in self.defaults.items() if spans}

    def is_default(self, facility: str, on: date) -> bool:
        return covers(self.defaults.get(facility, []), on)


__all__ = ["NOT_YET", "WRITTEN_OFF", "Classes"]
