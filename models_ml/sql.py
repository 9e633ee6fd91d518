"""Compiles a points table to one SQL statement that scores inside the warehouse.

One CASE per characteristic gives its points. Everything after is integer work: the score is their
sum, PD an array lookup by score, the grade a CASE on score thresholds, and a reason is a loss in
hundredths of a point packed with the characteristic's position, so that ``greatest`` picks the
next one without a sort. Levels are fenced with ``offset 0`` so that the planner computes each
expression once; the statement stays parallel-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from models_ml.evaluate import REASONS
from models_ml.points_table import Bin, Characteristic, PointsTable

_PACK = 64  # positions that fit below a packed loss
_DOUBLE = "double precision"


def identifier(name: str) -> str:
    """``name`` quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a SQL string constant."""
    return "'" + text.replace("'", "''") + "'"


def compile(
    table: PointsTable,
    relation: str,
    *,
    keys: Sequence[str] = ("customer_id",),
    types: Mapping[str, str] | None = None,
    where: str | None = None,
    points: bool = True,
    decision: bool = True,
    texts: bool = True,
) -> str:
    """The SELECT statement that scores ``relation``.

    Parameters
    ----------
    relation: table name or parenthesised query with alias, as it stands after ``from``.
    keys: columns passed through.
    types: PostgreSQL type of each feature column (``format_type``); a column not named is taken as
        double precision, or text where the characteristic is categorical.
    where: condition on the relation's rows.
    points: add ``points_<characteristic>``.
    decision: add pd, grade, points_total and reason_1..4.
    texts: add the reasons' zh and en texts.

    Raises
    ------
    ValueError: more characteristics than a packed reason can hold (64).
    """
    if len(table.characteristics) > _PACK:
        raise ValueError(f"{len(table.characteristics)} characteristics; SQL holds up to {_PACK}")
    source = _typed_source(table, relation, keys, types or {}, where)
    statement = _points_level(table, source, keys)
    names = [identifier(f"points_{each.name}") for each in table.characteristics]
    total = " + ".join(names)
    passed = [identifier(key) for key in keys]
    if not decision:
        columns = [*passed, *(names if points else []), f"{total} as score"]
        return f"select\n    {_lines(columns)}\nfrom (\n{statement}\n) as pointed"
    losses = [
        f"case when {name} < {-(-round(each.mean_points * 100) // 100)} then"
        f" ({round(each.mean_points * 100)} - 100 * {name}) * {_PACK} + {_PACK - 1 - position} end"
        f" as loss_{position}"
        for position, (each, name) in enumerate(zip(table.characteristics, names, strict=True))
    ]
    kept = [*passed, *(names if points else [])]
    statement = _level(statement, [*kept, f"{total} as score", *losses], "pointed")
    packed = [f"loss_{position}" for position in range(len(names))]
    for rank in range(1, REASONS + 1):
        candidates = packed if rank == 1 else [f"case when {p} < top_{rank - 1} then {p} end" for p in packed]
        carried = [*kept, "score", *(f"top_{k}" for k in range(1, rank)), *(packed if rank < REASONS else [])]
        statement = _level(
            statement, [*carried, f"greatest({', '.join(candidates)}) as top_{rank}"], f"ranked_{rank}"
        )
    columns = [*passed, "score", *_decision_columns(table), *(names if points else [])]
    columns += _reason_columns(table, "", lambda each: each.name)
    if texts:
        columns += _reason_columns(table, "_zh", lambda each: each.text.zh)
        columns += _reason_columns(table, "_en", lambda each: each.text.en)
    return f"select\n    {_lines(columns)}\nfrom (\n{statement}\n) as reasoned"


def compile_bins(
    table: PointsTable, relation: str, *, types: Mapping[str, str] | None = None, where: str | None = None
) -> str:
    """A SELECT that gives, per row, the position of each characteristic's bin as ``bin_<name>``."""
    source = _typed_source(table, relation, (), types or {}, where)
    columns = [
        _case(each, lambda position, _: str(position)) + f" as {identifier('bin_' + each.name)}"
        for each in table.characteristics
    ]
    return f"select\n    {_lines(columns)}\nfrom {source}"


def _typed_source(
    table: PointsTable, relation: str, keys: Sequence[str], types: Mapping[str, str], where: str | None
) -> str:
    """The relation, with every feature as double precision or text, each cast once."""
    wanted = {each.name: _DOUBLE if each.kind == "numeric" else "text" for each in table.characteristics}
    if where is None and all(types.get(name, type_) == type_ for name, type_ in wanted.items()):
        return relation
    columns = [identifier(key) for key in keys]
    for name, type_ in wanted.items():
        have, column = types.get(name, type_), identifier(name)
        if have == type_:
            columns.append(column)
        elif have == "boolean" and type_ == _DOUBLE:
            columns.append(f"{column}::int::{_DOUBLE} as {column}")
        else:
            columns.append(f"{column}::{type_} as {column}")
    condition = f"\n    where {where}" if where else ""
    return f"(\n    select {', '.join(columns)}\n    from {relation}{condition}\n    offset 0\n) as typed"


def _points_level(table: PointsTable, source: str, keys: Sequence[str]) -> str:
    columns = [identifier(key) for key in keys]
    columns += [
        _case(each, lambda _, each_bin: str(each_bin.points)) + f" as {identifier('points_' + each.name)}"
        for each in table.characteristics
    ]
    return f"select\n    {_lines(columns)}\nfrom {source}\noffset 0"


def _case(characteristic: Characteristic, result: Callable[[int, Bin], str]) -> str:
    """The CASE of one characteristic; null, NaN and unseen values end in ``else``."""
    column = identifier(characteristic.name)
    bins = list(enumerate(characteristic.bins))
    branches = []
    for position, each in bins:
        if each.kind == "special":
            codes = ", ".join(_number(code) for code in each.codes)
            branches.append(f"when {column} in ({codes}) then {result(position, each)}")
    for position, each in bins:
        if each.kind == "range":
            # The last range ends at infinity: NaN sorts above it and is left to `else`.
            condition = f"< {_number(each.upper)}" if each.upper is not None else "<= float8 'infinity'"
            branches.append(f"when {column} {condition} then {result(position, each)}")
        elif each.kind == "values":
            values = ", ".join(literal(value) for value in each.values)
            branches.append(f"when {column} in ({values}) then {result(position, each)}")
    missing = characteristic.index_of("missing")
    end = result(missing, characteristic.bins[missing])
    if characteristic.kind == "categorical":
        other = characteristic.index_of("other")
        branches.append(f"when {column} is not null then {result(other, characteristic.bins[other])}")
    return f"case {' '.join(branches)} else {end} end"


def _decision_columns(table: PointsTable) -> list[str]:
    low, high = table.score_range
    pds = table.pd_table()
    values = ", ".join(repr(value) for value in pds)
    lookup = f"('{{{values}}}'::float8[])[score + {1 - low}]"
    lowest: dict[str, int] = {}  # lowest score of each grade, best grade first
    for score in range(high, low - 1, -1):
        lowest[str(table.grade_of(pds[score - low]))] = score
    *above, worst = lowest
    branches = " ".join(f"when score >= {lowest[each]} then {literal(each)}" for each in above)
    last = literal(worst)
    grade = f"case {branches} else {last} end" if branches else last
    return [f"{lookup} as pd", f"{grade} as grade", "score as points_total"]


def _reason_columns(table: PointsTable, suffix: str, text: Callable[[Characteristic], str]) -> list[str]:
    # Positions were packed from the top (63 first), so the lookup lists them backwards.
    texts = ", ".join(literal(text(each)) for each in reversed(table.characteristics))
    first = _PACK - 1 - len(table.characteristics)
    return [
        f"(array[{texts}])[(top_{rank} & {_PACK - 1}) - {first}] as reason_{rank}{suffix}"
        for rank in range(1, REASONS + 1)
    ]


def _level(statement: str, columns: Sequence[str], alias: str) -> str:
    return f"select\n    {_lines(columns)}\nfrom (\n{statement}\n) as {alias}\noffset 0"


def _lines(columns: Sequence[str]) -> str:
    return ",\n    ".join(columns)


def _number(value: float | None) -> str:
    assert value is not None
    return f"float8 '{value!r}'"
