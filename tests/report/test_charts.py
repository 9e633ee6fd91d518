"""Charts keep their data and stay inside their frame."""

from __future__ import annotations

import itertools
import re

import pytest

from creditops.report.charts import (
    BLUE,
    HEIGHT,
    WIDTH,
    Series,
    column_chart,
    heat,
    histogram,
    line_chart,
    share_bar,
)


def numbers(svg: str, attribute: str) -> list[float]:
    return [float(value) for value in re.findall(rf'\b{attribute}="([-\d.]+)"', svg)]


def test_a_histogram_counts_everybody_once() -> None:
    counts = [(431, 3), (440, 5), (449, 1), (450, 7), (688, 2)]
    svg = histogram("scores", counts, lambda value: f"{value:.0f}")
    assert sum(int(n) for n in re.findall(r"<title>\d+  (\d+)</title>", svg)) == 18
    assert "<title>430  3</title>" in svg


def test_a_line_ends_in_its_last_value_and_leaves_gaps_out() -> None:
    svg = line_chart("t", ["a", "b", "c"], [Series("s", BLUE, [0.1, None, 0.3])], lambda v: f"{v:.1f}")
    path = re.search(r'<path d="([^"]+)"', svg)
    assert path is not None
    assert len(re.findall("[ML]", path[1])) == 2
    assert re.findall(r'font-weight="600">([^<]+)<', svg) == ["0.3"]


@pytest.mark.parametrize("top", [0.0, 0.0004, 0.07, 1.0, 13.0, 4.6e8])
def test_marks_stay_inside_the_frame(top: float) -> None:
    values = [top * share for share in (0.2, 1.0, 0.6)]
    labels = ["2026-04", "2026-05", "2026-06"]
    for svg in (
        line_chart("t", labels, [Series("s", BLUE, values)], str),
        column_chart("t", labels, [Series("s", BLUE, values), Series("u", BLUE, values)], str),
    ):
        assert all(0 <= y <= HEIGHT for name in ("y", "y1", "y2", "cy") for y in numbers(svg, name))
        assert all(0 <= x <= WIDTH for name in ("x", "x1", "x2", "cx") for x in numbers(svg, name))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_end_labels_of_close_lines_cover_neither_each_other_nor_the_months(value: float) -> None:
    series = [Series(str(n), BLUE, [1.0, value + n / 1000]) for n in range(4)]
    svg = line_chart("t", ["a", "b"], series, lambda v: f"{v:.3f}")
    months = next(float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="middle"', svg))
    ends = sorted(
        float(y)
        for y in re.findall(
            r'y="([\d.]+)" text-anchor="start" fill="[^"]+" font-size="12" font-weight="600"', svg
        )
    )
    assert all(after - before >= 12 for before, after in itertools.pairwise([*ends, months]))


def test_shares_fill_the_bar_and_names_are_escaped() -> None:
    svg = share_bar([("a < b", BLUE, 1.0), ("none", BLUE, 0.0), ("rest", BLUE, 3.0)])
    assert numbers(svg, "width") == [25.0, 75.0]
    assert "a &lt; b" in svg


def test_a_heat_cell_without_a_share_stays_white() -> None:
    assert heat(None) == heat(0.0) == "background:#fff"
    assert "color:#fff" in heat(0.9)
