"""A simulated credit portfolio with a known hazard, in source-file form or as a foreign system writes it."""

from collections.abc import Callable

from creditops.simulate.book.events import EventCounts
from creditops.simulate.files.book_files import Progress
from creditops.simulate.foreign.flat import as_flat
from creditops.simulate.foreign.relational import as_relational
from creditops.simulate.portfolio import DEFAULT_AS_OF, Summary, simulate

FORMS: dict[str, Callable[[Summary], Summary]] = {
    "canonical": lambda summary: summary,
    "relational": as_relational,
    "flat": as_flat,
}
"""Forms that a simulated book can be brought to, by name."""

__all__ = ["DEFAULT_AS_OF", "FORMS", "EventCounts", "Progress", "Summary", "simulate"]
