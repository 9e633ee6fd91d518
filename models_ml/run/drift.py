"""Whether a champion's population or calibration has moved so far that it calls for training."""

from __future__ import annotations

from datetime import date

from creditops.warehouse import connect
from models_ml.store import versions

_CALLS = {
    "psi": "population drifted: PSI of the score {value:.3f}",
    "actual_to_expected": "calibration is off: {value:.2f} x the expected defaults",
}


def drifted(book: str, as_of: date) -> dict[str, str]:
    """Scorecards whose champion's monitoring of that day is red, and the finding."""
    champions = {each["scorecard"]: each["version"] for each in versions.champions(book)}
    with connect("modeller") as connection:
        rows = connection.execute(
            "select scorecard, model_version, metric, value from scoring.model_monitoring"
            " where book = %s and as_of_date = %s and status = 'red' and segment = 'all'"
            " and metric = any(%s) order by scorecard, metric",
            (book, as_of, list(_CALLS)),
        ).fetchall()
    found: dict[str, str] = {}
    for scorecard, version, metric, value in rows:
        if champions.get(scorecard) == version:
            finding = _CALLS[metric].format(value=value)
            found[scorecard] = f"{found[scorecard]}; {finding}" if scorecard in found else finding
    return found
