"""``python -m benchmarks.comparison.small_firms``: defaults of 123 small firms from their VAT invoices.

Leave one out: each firm is judged by a scorecard that never saw it. The bank's rating is not used: it was
given by people who knew the outcome. Measures follow ``features.feat_sme_invoice`` over the whole history
of a firm, since the set dates no outcome.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.comparison.__main__ import DATA
from creditops.errors import DataRefusedError
from models_ml.fit.estimator import ScorecardClassifier
from models_ml.measure.discrimination import auc

_FEW = 6  # characteristics: 123 firms, 27 of them bad, carry no more


def load(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Measures per firm, and 1 where it defaulted."""
    firms = pd.read_csv(folder / "credit_history_enterprises.csv", index_col=0)
    columns: dict[str, pd.Series] = {}
    for side, file, partner in (
        ("sales", "output", "购方单位代号"),
        ("purchases", "input", "销方单位代号"),
    ):
        rows = pd.read_csv(folder / f"credit_history_{file}_invoices.csv.gz", parse_dates=["开票日期"])
        columns |= _measures(rows.drop_duplicates(), side, partner)
    frame = pd.DataFrame(columns).reindex(firms.index)
    frame["margin"] = 1 - frame["purchases_monthly"] / frame["sales_monthly"].where(
        frame["sales_monthly"] > 0
    )
    return frame.reset_index(drop=True), (firms["是否违约"] == "是").to_numpy(dtype=int)


def leave_one_out(frame: pd.DataFrame, bad: np.ndarray, algorithm: str) -> np.ndarray:
    """Risk of each firm by the scorecard of all the others."""
    risk = np.empty(len(frame))
    for place in range(len(frame)):
        others = np.arange(len(frame)) != place
        card = ScorecardClassifier(algorithm, max_characteristics=_FEW, max_bins=4)  # type: ignore[arg-type]
        try:
            card.fit(frame[others], bad[others])
        except DataRefusedError:  # nothing passes the selection: everyone is alike
            risk[place] = bad[others].mean()
            continue
        risk[place] = card.predict_proba(frame.iloc[[place]])[0, 1]
    return risk


def _measures(rows: pd.DataFrame, side: str, partner: str) -> dict[str, pd.Series]:
    firm = rows["企业代号"]
    valid = rows[rows["发票状态"].str.strip().str.startswith("有效")]
    by_firm = valid.groupby("企业代号")
    month = valid["开票日期"].dt.to_period("M")
    monthly = valid.groupby([valid["企业代号"], month])["金额"].sum()
    by_partner = valid[valid["金额"] > 0].groupby(["企业代号", partner])["金额"].sum()
    share = by_partner / by_partner.groupby(level=0).transform("sum")
    newest = valid["开票日期"].max()
    last = by_firm["开票日期"].max()
    months = monthly.groupby(level=0).size()
    return {
        f"{side}_monthly": by_firm["金额"].sum() / months,
        f"{side}_variation": monthly.groupby(level=0).std() / monthly.groupby(level=0).mean().abs(),
        f"{side}_active_months": months.astype(float),
        f"{side}_days_since_last": (newest - last).dt.days.astype(float),
        f"{side}_invoices": by_firm.size() / months,
        f"{side}_void_rate": 1 - by_firm.size() / rows.groupby(firm).size(),
        f"{side}_red_letter_rate": (valid["金额"] < 0).groupby(valid["企业代号"]).mean(),
        f"{side}_partners": by_partner.groupby(level=0).size().astype(float),
        f"{side}_top_share": share.groupby(level=0).max(),
        f"{side}_hhi": (share**2).groupby(level=0).sum(),
    }


def main() -> None:
    """Print AUC with its DeLong interval for both families."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    frame, bad = load(parser.parse_args().data / "cumcm2020c_sme_invoices")
    print(f"{len(bad)} firms, {bad.sum()} defaults, {frame.shape[1]} measures")
    for algorithm in ("boosted_additive", "woe_logistic"):
        area = auc(leave_one_out(frame, bad, algorithm), bad)
        print(
            f"{algorithm}: leave-one-out AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})", flush=True
        )


if __name__ == "__main__":
    main()
