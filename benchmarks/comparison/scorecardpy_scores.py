"""scorecardpy's own way to a scorecard, in its own environment: woebin, woebin_ply, logistic regression."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._scorecardpy import call

_SCRIPT = """
import contextlib, io, sys
import numpy as np, pandas as pd, scorecardpy as sc
from sklearn.linear_model import LogisticRegression
development, hold_out = (pd.read_csv(path) for path in sys.argv[1:3])
with contextlib.redirect_stdout(io.StringIO()):
    bins = sc.woebin(development, y="bad", check_cate_num=False)
    inside = sc.woebin_ply(development, bins)
    outside = sc.woebin_ply(hold_out, bins)
names = [name for name in inside.columns if name.endswith("_woe")]
model = LogisticRegression(max_iter=1000).fit(inside[names], inside["bad"])
np.savetxt(sys.argv[3], model.predict_proba(outside[names].fillna(0))[:, 1])
"""


def scorecardpy(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """Risk of the hold-out rows.

    Raises
    ------
    benchmarks._scorecardpy.Unavailable: there is no environment for it, or it fails on these rows.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("development.csv", "hold_out.csv", "risk.txt")]
        development.assign(bad=bad).to_csv(paths[0], index=False)
        hold_out.to_csv(paths[1], index=False)
        call(_SCRIPT, *map(str, paths))
        return np.asarray(np.loadtxt(paths[2]))
