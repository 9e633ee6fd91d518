"""A simulated credit portfolio with a known hazard, in source-file form."""

from creditops.simulate.portfolio import DEFAULT_AS_OF, Progress, Summary, simulate

__all__ = ["DEFAULT_AS_OF", "Progress", "Summary", "simulate"]
