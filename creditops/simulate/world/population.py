"""Who the customers are: their observable traits and the latent ones that drive risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.errors import UsageError
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.parameters import CORPORATE, RETAIL, SEGMENT_SHARES, TRADE, of_segment
from creditops.simulate.world.randomness import stream

REGIONS = ("110000", "310000", "440000", "320000", "330000", "370000", "510000", "420000", "410000", "610000")
"""GB/T 2260 province codes used in the book."""
INDUSTRIES = (
    "manufacturing",
    "wholesale_retail",
    "construction",
    "transport",
    "information_technology",
    "real_estate",
    "agriculture",
    "hospitality",
)
PARTNERS = (
    ("online_platform", 0.10),
    ("online_platform", 0.20),
    ("dealer", 0.0),
    ("dealer", -0.1),
    ("agency", 0.25),
    ("agency", 0.15),
    ("branch", -0.2),
    ("online_platform", 0.15),
)
"""Channel of each partner and what it adds to the linear predictor."""
_REGION_SHARE = np.array([0.10, 0.12, 0.18, 0.13, 0.11, 0.10, 0.08, 0.07, 0.07, 0.04])
_INDUSTRY_SHARE = np.array([0.30, 0.22, 0.12, 0.09, 0.10, 0.05, 0.06, 0.06])
_INDUSTRY_RISK = np.array([0.0, 0.1, 0.2, 0.0, -0.2, 0.35, 0.05, 0.2])
_RETAIL_PARTNER_SHARE = 0.55
_CORPORATE_PARTNER_SHARE = 0.15
_GROUPED_SHARE = 0.22


@dataclass(frozen=True)
class Population:
    """Customers, ordered by segment; every array has shape (n,) and money is in cents.

    ``quality``, ``habit`` and ``static`` (their sum in the linear predictor) are latent; -1 in an
    index array means none.
    """

    segment: Ints
    quality: Floats
    affluence: Floats
    habit: Floats
    static: Floats
    income: Ints
    annual_revenue: Ints
    employees: Ints
    female: Bools
    age: Ints
    is_staff: Bools
    region: Ints
    industry: Ints
    group: Ints
    partner: Ints
    has_card: Bools
    has_loan: Bools

    @property
    def size(self) -> int:
        return int(self.segment.size)

    def members(self, segment: int) -> Ints:
        """Positions of a segment's customers."""
        return np.flatnonzero(self.segment == segment)


def populate(seed: int, customers: int) -> Population:
    """Draw ``customers`` customers, split over the segments in the shares of the design.

    Raises :class:`UsageError` below 24 customers, where a segment would be empty.
    """
    if customers < 24:
        raise UsageError(f"customers must be at least 24, not {customers}")
    rng = stream(seed, "population")
    segment = _segments(customers)
    retail = segment == RETAIL
    quality = rng.standard_normal(customers)
    affluence = np.clip(0.35 * quality + 0.94 * rng.standard_normal(customers), -2.8, 2.8)
    card, loan = rng.random(customers), rng.random(customers)
    has_card = retail & (card < 0.55)
    has_loan = retail & (~has_card | (loan < 0.36))
    habit = np.where(has_card, -0.35 * quality + 0.65 * rng.standard_normal(customers), 0.0)
    group = np.full(customers, -1, dtype=np.int64)
    corporates = np.flatnonzero(segment == CORPORATE)
    group[corporates] = _groups(rng, corporates.size)
    industry = np.where(retail, -1, rng.choice(len(INDUSTRIES), customers, p=_INDUSTRY_SHARE))
    through = rng.random(customers) < np.where(retail, _RETAIL_PARTNER_SHARE, _CORPORATE_PARTNER_SHARE)
    partner = np.where(through & (segment != TRADE), rng.integers(0, len(PARTNERS), customers), -1)
    revenue = np.rint(np.exp(np.log(6e7) + 0.9 * affluence) * 100).astype(np.int64)
    return Population(
        segment=segment,
        quality=quality,
        affluence=affluence,
        habit=habit,
        static=_static(segment, quality, affluence, habit, industry, partner),
        income=np.rint(np.exp(np.log(8500) + 0.45 * affluence)).astype(np.int64) * 100,
        annual_revenue=revenue,
        employees=np.maximum(3, revenue // 110_000_000 + rng.integers(0, 12, customers)),
        female=rng.random(customers) < 0.44,
        age=np.clip(np.rint(rng.gamma(7.0, 2.6, customers) + 20), 20, 67).astype(np.int64),
        is_staff=retail & (rng.random(customers) < 0.008),
        region=rng.choice(len(REGIONS), customers, p=_REGION_SHARE).astype(np.int64),
        industry=industry.astype(np.int64),
        group=group,
        partner=partner.astype(np.int64),
        has_card=has_card,
        has_loan=has_loan,
    )


def _segments(customers: int) -> Ints:
    total = sum(SEGMENT_SHARES)
    corporate, trade = (max(1, round(customers * share / total)) for share in SEGMENT_SHARES[1:])
    counts = (customers - corporate - trade, corporate, trade)
    return np.repeat(np.arange(3, dtype=np.int64), counts)


def _groups(rng: np.random.Generator, corporates: int) -> Ints:
    """Group of each corporate (-1 for none): the first fifth form groups of three to five."""
    group = np.full(corporates, -1, dtype=np.int64)
    grouped = int(corporates * _GROUPED_SHARE)
    sizes = rng.integers(3, 6, max(1, grouped // 3))
    sizes = sizes[np.cumsum(sizes) <= max(3, grouped)]
    labels = np.repeat(np.arange(sizes.size), sizes)[:corporates]
    group[: labels.size] = labels
    return group


def _static(
    segment: Ints, quality: Floats, affluence: Floats, habit: Floats, industry: Ints, partner: Ints
) -> Floats:
    channel = np.array([effect for _, effect in PARTNERS])
    return (
        of_segment("quality", segment) * quality
        + of_segment("income", segment) * affluence
        + of_segment("utilisation", segment) * habit
        + np.where(industry >= 0, _INDUSTRY_RISK[industry], 0.0)
        + np.where(partner >= 0, channel[partner], 0.0)
    )
