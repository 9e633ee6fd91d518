"""A points table as a file that needs nothing of the platform: Python, or ONNX.

The Python file needs the standard library alone and gives score, PD, grade and reasons of one customer.
The ONNX graph takes one double column per numeric characteristic and one string column per categorical
one, and gives score and PD; missing is NaN, or the empty string. Both agree with the pyfunc exactly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models_ml.card.points_table import MISSING_TEXTS, Characteristic, PointsTable

Format = Literal["python", "onnx"]
_OPSET, _ML_OPSET = 17, 3

_PYTHON = '''"""{title}

Generated from the points table of scorecard {scorecard}, book {book}, version {version}.
Needs the standard library alone. `score(customer)` takes a mapping of column to value: a number, a text,
or None for missing; a NaN of any type, pandas' NA, an empty text and the text nan are missing too. It
returns score, pd, grade, points and reasons.
"""

import json
import math
from bisect import bisect_right

TABLE = json.loads({table!r})


def is_missing(value):
    """Whether a value is None, a NaN of any type, or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return bool(value != value)  # true of NaN alone, whatever its type


def points_of(characteristic, value):
    """Points that a value earns."""
    bins = characteristic["bins"]
    missing = next(b["points"] for b in bins if b["kind"] == "missing")
    if is_missing(value):
        return missing
    if characteristic["kind"] == "categorical":
        for each in bins:
            if value in each["values"]:
                return each["points"]
        if value in TABLE["missing_texts"]:
            return missing
        return next(b["points"] for b in bins if b["kind"] == "other")
    if value in TABLE["missing_texts"]:
        return missing
    number = float(value)
    for each in bins:
        if number in each["codes"]:
            return each["points"]
    ranges = [b for b in bins if b["kind"] == "range"]
    return ranges[bisect_right([b["upper"] for b in ranges[:-1]], number)]["points"]


def score(customer):
    """Score, PD, grade, points per characteristic and up to four reasons of one customer."""
    points = {{c["name"]: points_of(c, customer[c["name"]]) for c in TABLE["characteristics"]}}
    total = sum(points.values())
    odds = TABLE["calibration"]["intercept"] + TABLE["calibration"]["slope"] * total
    pd = 1.0 / (1.0 + math.exp(min(max(odds, -700.0), 700.0)))
    pd = round(max(pd, TABLE["calibration"]["floor"]), 6)
    grades = TABLE["grades"]
    grade = next((g["grade"] for g in grades if pd < g["pd_below"]), grades[-1]["grade"])
    lost = [
        (round(c["mean_points"] * 100) - 100 * points[c["name"]], -place, c)
        for place, c in enumerate(TABLE["characteristics"])
    ]
    worst = sorted((each for each in lost if each[0] > 0), key=lambda each: each[:2], reverse=True)[:4]
    reasons = [{{"code": c["name"], "zh": c["text"]["zh"], "en": c["text"]["en"]}} for _, _, c in worst]
    return {{"score": total, "pd": pd, "grade": grade, "points": points, "reasons": reasons}}
'''


def export(table: PointsTable, path: Path, form: Format, *, version: str = "") -> Path:
    """Write the table to ``path``.

    Raises
    ------
    ValueError: no such form.
    """
    if form == "python":
        path.write_text(as_python(table, version), encoding="utf-8")
    elif form == "onnx":
        path.write_bytes(as_onnx(table, version).SerializeToString())
    else:
        raise ValueError(f"no form {form!r}; there are python and onnx")
    return path


def as_python(table: PointsTable, version: str = "") -> str:
    """Source of a module with ``score(customer)``."""
    data = json.loads(table.to_json())
    kept = {name: data[name] for name in ("characteristics", "calibration", "grades")}
    kept["missing_texts"] = MISSING_TEXTS
    return _PYTHON.format(
        title="A credit scorecard as a Python function.",
        scorecard=table.scorecard,
        book=table.book,
        version=version or "not registered",
        table=json.dumps(kept, ensure_ascii=True, sort_keys=True),
    )


def as_onnx(table: PointsTable, version: str = "") -> Any:
    """An ONNX model: inputs named like the columns, shape (rows, 1); outputs ``score`` and ``pd``."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    inputs, points = [], []
    for number, each in enumerate(table.characteristics):
        type_ = TensorProto.DOUBLE if each.kind == "numeric" else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(each.name, type_, [None, 1]))
        of = _numeric_node if each.kind == "numeric" else _categorical_node
        points.append(of(each, f"c{number}_", constant, node))
    total = points[0]
    for number, each_points in enumerate(points[1:]):
        total = node("Add", [total, each_points], f"sum_{number}")
    score = node("Identity", [total], "score")
    low, _ = table.score_range
    place = node("Sub", [score, constant("low", np.array([low], dtype=np.int64))], "place")
    node("Gather", [constant("pds", np.array(table.pd_table())), place], "pd")
    outputs = [
        helper.make_tensor_value_info("score", TensorProto.INT64, [None, 1]),
        helper.make_tensor_value_info("pd", TensorProto.DOUBLE, [None, 1]),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, table.scorecard, inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)],
        producer_name="creditops",
        producer_version=version,
        ir_version=8,
    )
    checker.check_model(model)
    return model


def _numeric_node(each: Characteristic, prefix: str, constant: Any, node: Any) -> str:
    """Counts the boundaries at or below the value, which is the place of its range."""
    ranges = np.array([b.points for b in each.bins if b.kind == "range"], dtype=np.int64)
    edges = np.array([each.boundaries], dtype=np.float64).reshape(1, -1)
    if edges.size:
        above = node("GreaterOrEqual", [each.name, constant(f"{prefix}edges", edges)], f"{prefix}above")
        whole = node("Cast", [above], f"{prefix}whole", to=7)
        axis = constant(f"{prefix}axis", np.array([1], dtype=np.int64))
        place = node("ReduceSum", [whole, axis], f"{prefix}place", keepdims=1)
        points = node("Gather", [constant(f"{prefix}points", ranges), place], f"{prefix}range")
    else:
        missing = node("IsNaN", [each.name], f"{prefix}any")
        whole = node("Cast", [missing], f"{prefix}whole", to=7)
        zero = node(
            "Mul", [whole, constant(f"{prefix}zero", np.array([0], dtype=np.int64))], f"{prefix}place"
        )
        points = node("Gather", [constant(f"{prefix}points", ranges), zero], f"{prefix}range")
    for number, b in enumerate(b for b in each.bins if b.kind == "special"):
        for code_number, code in enumerate(b.codes):
            name = f"{prefix}special_{number}_{code_number}"
            here = node("Equal", [each.name, constant(f"{name}_code", np.array([code]))], f"{name}_here")
            own = constant(f"{name}_points", np.array([b.points], dtype=np.int64))
            points = node("Where", [here, own, points], name)
    missing = node("IsNaN", [each.name], f"{prefix}missing")
    own = constant(
        f"{prefix}missing_points", np.array([each.bins[each.index_of("missing")].points], dtype=np.int64)
    )
    return str(node("Where", [missing, own, points], f"{prefix}result"))


def _categorical_node(each: Characteristic, prefix: str, constant: Any, node: Any) -> str:
    """A lookup from text to points."""
    known = dict.fromkeys(MISSING_TEXTS, each.bins[each.index_of("missing")].points)
    known |= {value: b.points for b in each.bins for value in b.values}
    return str(
        node(
            "LabelEncoder", [each.name], f"{prefix}result", domain="ai.onnx.ml", keys_strings=list(known),
            values_int64s=list(known.values()), default_int64=each.bins[each.index_of("other")].points,
        )
    )  # fmt: skip
