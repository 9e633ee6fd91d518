"""Exported files give what the pyfunc gives, on missing, special, unseen and boundary values."""

from __future__ import annotations

import runpy
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from models_ml.card.evaluate import REASONS, score_frame
from models_ml.card.export import as_onnx, export
from models_ml.card.points_table import PointsTable
from tests.unit.models_ml.tables import categorical, numeric, table, tables_and_rows


def _session(card: PointsTable) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(as_onnx(card).SerializeToString())


def _run_onnx(card: PointsTable, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    session = _session(card)
    feed: dict[str, Any] = {}
    for each in card.characteristics:
        values = frame[each.name].astype(object).where(frame[each.name].notna(), None)
        if each.kind == "numeric":
            feed[each.name] = np.array([[np.nan if v is None else float(v)] for v in values])
        else:
            feed[each.name] = np.array([["" if v is None else v] for v in values], dtype=object)
    score, pd_ = session.run(["score", "pd"], feed)
    return score[:, 0], pd_[:, 0]


@given(tables_and_rows())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_file_and_onnx_agree_with_the_pyfunc(
    tmp_path: Path, case: tuple[PointsTable, pd.DataFrame, dict[str, str]]
) -> None:
    card, frame, types = case
    numbers = {name: frame[name].astype("float64") for name in types if types[name] != "text"}
    frame = frame.assign(**numbers)
    expected = score_frame(card, frame)
    score = runpy.run_path(str(export(card, tmp_path / "card.py", "python")))["score"]
    for position, row in enumerate(frame.to_dict("records")):
        ours = score({name: None if value is pd.NA else value for name, value in row.items()})
        theirs = expected.iloc[position]
        assert (ours["score"], ours["pd"], ours["grade"]) == (theirs["score"], theirs["pd"], theirs["grade"])
        assert ours["points"] == {name: theirs[f"points_{name}"] for name in card.features}
        reasons = [theirs[f"reason_{rank}"] for rank in range(1, REASONS + 1)]
        assert [reason["code"] for reason in ours["reasons"]] == [
            code for code in reasons if code is not None
        ]
    scores, pds = _run_onnx(card, frame)
    assert scores.tolist() == expected["score"].tolist()
    assert pds.tolist() == expected["pd"].tolist()


@pytest.mark.parametrize(
    "missing", [None, np.nan, np.float32("nan"), Decimal("NaN"), pd.NA, pd.NaT, "", "nan", "NaN"]
)
def test_what_stands_for_nothing_is_missing_in_every_form(tmp_path: Path, missing: object) -> None:
    card = table(
        numeric("income", [100.0], [3, 9], missing=20),
        categorical("region", [("A",)], [5], missing=7, other=1),
    )
    expected = score_frame(card, pd.DataFrame({"income": [np.nan], "region": [None]}))["score"].item()
    assert expected == 27
    frame = pd.DataFrame({"income": [np.nan], "region": pd.Series([missing], dtype=object)})
    assert score_frame(card, frame)["score"].item() == expected
    score = runpy.run_path(str(export(card, tmp_path / "card.py", "python")))["score"]
    assert score({"income": missing, "region": missing})["score"] == expected
    if isinstance(missing, str):
        feed = {"income": np.array([[np.nan]]), "region": np.array([[missing]], dtype=object)}
        assert _session(card).run(["score"], feed)[0].item() == expected


def test_a_file_names_its_version_and_an_unknown_form_is_refused(tmp_path: Path) -> None:
    card = table(numeric("x", [0.0], [1, 2]), categorical("c", [("a",)], [3]))
    assert "version 7" in export(card, tmp_path / "card.py", "python", version="7").read_text()
    assert export(card, tmp_path / "card.onnx", "onnx", version="7").stat().st_size > 0
    with pytest.raises(ValueError, match="no form"):
        export(card, tmp_path / "card.sas", "sas")  # type: ignore[arg-type]
