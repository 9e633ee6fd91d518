"""A simulated credit portfolio with a known hazard, in source-file form."""

from creditops.simulate.book_files import Progress
from creditops.simulate.events import EventCounts
from creditops.simulate.portfolio import DEFAULT_AS_OF, Summary, simulate

__all__ = ["DEFAULT_AS_OF", "EventCounts", "Progress", "Summary", "simulate"]
