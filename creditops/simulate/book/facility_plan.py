"""A facility as planned, before its customer's behaviour decides what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from creditops.simulate.world.arrays import Bools, Ints

OPEN_ENDED = 10_000
"""Month of the last due item where none is planned."""


@dataclass(frozen=True)
class FacilityPlan:
    """Facilities, one entry each, shape (f,); money in cents, months of the grid, -1 for none.

    ``last_due`` is the month of the last scheduled item, ``early_end`` the month in which the
    customer means to repay early, ``due_day`` the day of month items fall due, ``terms_days``
    the days an invoice runs, ``raise_month`` the month of a planned limit increase.
    """

    customer: Ints
    kind: Ints
    product: Ints
    partner: Ints
    open_month: Ints
    opened_on: Ints
    due_day: Ints
    first_due: Ints
    last_due: Ints
    early_end: Ints
    principal: Ints
    credit_limit: Ints
    secured: Bools
    dormant: Bools
    terms_days: Ints
    raise_month: Ints

    @property
    def size(self) -> int:
        return int(self.customer.size)

    def take(self, chosen: Ints | Bools) -> FacilityPlan:
        """The chosen facilities, in the order given."""
        return FacilityPlan(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def planned_last_due(self) -> Ints:
        """Last due month if early repayment goes as planned."""
        return np.where(self.early_end >= 0, self.early_end, self.last_due)
