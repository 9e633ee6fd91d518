"""Compiles a points table to one SQL statement that scores inside the warehouse.

One CASE per characteristic, a binary search over its ranges, gives its packed loss: points lost
against the development mean in hundredths, times 64, plus the characteristic's place counted from
the end. Everything after is integer work on those: the score follows from their sum, PD is an array
lookup by score, the grade a CASE on score thresholds, and ``greatest`` picks the next reason without
a sort, over groups so that a rank looks again only into the group that lost its greatest. Levels
are fenced with ``offset 0`` so that the planner computes each expression once; the statement stays
parallel-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from models_ml.card.evaluate import REASONS
from models_ml.card.points_table import MISSING_TEXTS, Bin, Characteristic, PointsTable

_PACK = 64  # positions that fit below a packed loss
_UNIT = 100 * _PACK  # what one point adds to a packed loss
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
    passed = [identifier(key) for key in keys]
    if not decision:
        return _score_only(table, source, passed, points)
    losses = [f"loss_{position}" for position in range(len(table.characteristics))]
    statement = _level_of_cases(table, source, passed, _packed, losses)
    statement = _ranked(statement, passed, losses)
    constants = [_constant(position, each) for position, each in enumerate(table.characteristics)]
    score = f"({sum(constants)} - ({' + '.join(losses)})) / {_UNIT}"
    kept = [*(losses if points else []), *(f"top_{rank}" for rank in range(1, REASONS + 1))]
    statement = _level(statement, [*passed, *kept, f"{score} as score"], "ranked")
    columns = [*passed, "score", *_decision_columns(table)]
    if points:
        columns += [
            f"({constant} - {loss}) / {_UNIT} as {identifier('points_' + each.name)}"
            for constant, loss, each in zip(constants, losses, table.characteristics, strict=True)
        ]
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


def _score_only(table: PointsTable, source: str, passed: list[str], points: bool) -> str:
    if not points:
        total = "\n    + ".join(_case(each, _points) for each in table.characteristics)
        return f"select\n    {_lines([*passed, f'{total} as score'])}\nfrom {source}"
    names = [identifier(f"points_{each.name}") for each in table.characteristics]
    statement = _level_of_cases(table, source, passed, lambda _, each: _points, names)
    columns = [*passed, *names, f"{' + '.join(names)} as score"]
    return f"select\n    {_lines(columns)}\nfrom (\n{statement}\n) as pointed"


def _level_of_cases(
    table: PointsTable, source: str, passed: list[str],
    result: Callable[[int, Characteristic], Callable[[int, Bin], str]], names: Sequence[str],
) -> str:  # fmt: skip
    cases = [
        f"{_case(each, result(position, each))} as {name}"
        for position, (each, name) in enumerate(zip(table.characteristics, names, strict=True))
    ]
    return f"select\n    {_lines([*passed, *cases])}\nfrom {source}\noffset 0"


def _points(_: int, each: Bin) -> str:
    return str(each.points)


def _packed(position: int, characteristic: Characteristic) -> Callable[[int, Bin], str]:
    constant = _constant(position, characteristic)
    return lambda _, each: str(constant - _UNIT * each.points)


def _constant(position: int, characteristic: Characteristic) -> int:
    """Packed loss of a bin with no points."""
    return round(characteristic.mean_points * 100) * _PACK + _PACK - 1 - position


def _ranked(statement: str, passed: list[str], losses: list[str]) -> str:
    """Levels that add ``top_1`` to ``top_4``, the greatest packed losses; 63 and less is no loss."""
    size = round(len(losses) ** 0.5)
    groups = [losses[start : start + size] for start in range(0, len(losses), size)]
    greatest = [f"greatest({', '.join(group)}) as most_{number}" for number, group in enumerate(groups)]
    statement = _level(statement, [*passed, *losses, *greatest], "grouped")
    most = [f"most_{number}" for number in range(len(groups))]
    for rank in range(1, REASONS + 1):
        tops = [f"top_{k}" for k in range(1, rank)]
        statement = _level(
            statement, [*passed, *losses, *tops, *(most if rank < REASONS else []),
                        f"greatest({', '.join(most)}) as top_{rank}"], f"picked_{rank}",
        )  # fmt: skip
        if rank < REASONS:
            top = f"top_{rank}"
            again = [
                f"case when {m} = {top} then greatest({', '.join(_below(loss, top) for loss in group)})"
                f" else {m} end as {m}"
                for m, group in zip(most, groups, strict=True)
            ]
            statement = _level(statement, [*passed, *losses, *tops, top, *again], f"left_{rank}")
    return statement


def _below(loss: str, top: str) -> str:
    return f"case when {loss} < {top} then {loss} end"


def _case(characteristic: Characteristic, result: Callable[[int, Bin], str]) -> str:
    """The CASE of one characteristic; null and NaN end in ``else``."""
    column = identifier(characteristic.name)
    bins = list(enumerate(characteristic.bins))
    missing = characteristic.index_of("missing")
    end = result(missing, characteristic.bins[missing])
    branches = [
        f"when {column} in ({', '.join(_number(code) for code in each.codes)}) then {result(position, each)}"
        for position, each in bins
        if each.kind == "special"
    ]
    if characteristic.kind == "categorical":
        for position, each in bins:
            if each.kind == "values":
                values = ", ".join(literal(value) for value in each.values)
                branches.append(f"when {column} in ({values}) then {result(position, each)}")
        other = characteristic.index_of("other")
        missing_texts = ", ".join(map(literal, MISSING_TEXTS))
        branches.append(
            f"when {column} not in ({missing_texts}) then {result(other, characteristic.bins[other])}"
        )
        return f"case {' '.join(branches)} else {end} end"
    ranges = [(position, each) for position, each in bins if each.kind == "range"]
    if branches:
        return f"case {' '.join(branches)} else {_search(column, ranges, result, end)} end"
    return _search(column, ranges, result, end)


def _search(
    column: str, ranges: Sequence[tuple[int, Bin]], result: Callable[[int, Bin], str], end: str
) -> str:
    """Binary search for the range: a value meets log2(ranges) comparisons instead of half of them.

    Null fails every comparison and NaN sorts above everything, so both arrive at the last range,
    which ends at infinity, and fall out of it to ``end``.
    """
    if len(ranges) == 1:
        ((position, each),) = ranges
        if each.upper is not None:
            return result(position, each)
        return f"case when {column} <= float8 'infinity' then {result(position, each)} else {end} end"
    middle = len(ranges) // 2
    low = _search(column, ranges[:middle], result, end)
    high = _search(column, ranges[middle:], result, end)
    return f"case when {column} < {_number(ranges[middle - 1][1].upper)} then {low} else {high} end"


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
        f"(array[{texts}])[case when top_{rank} >= {_PACK} then (top_{rank} & {_PACK - 1}) - {first} end]"
        f" as reason_{rank}{suffix}"
        for rank in range(1, REASONS + 1)
    ]


def _level(statement: str, columns: Sequence[str], alias: str) -> str:
    return f"select\n    {_lines(columns)}\nfrom (\n{statement}\n) as {alias}\noffset 0"


def _lines(columns: Sequence[str]) -> str:
    return ",\n    ".join(columns)


def _number(value: float | None) -> str:
    assert value is not None
    return f"float8 '{value!r}'"
