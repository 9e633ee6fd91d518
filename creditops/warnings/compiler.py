"""Rules compiled to one SQL statement: one pass over each subject, however many rules look at it.

Per row all conditions of a subject are decided in one expression list; only rows with a hit go on
to severity, evidence and texts. So another rule costs one more comparison a row, not a scan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from creditops.expressions import Number, compile_expression, number_literal, text_literal
from creditops.warnings.rule import PLACEHOLDER, SEVERITY_RANK, Rule
from creditops.warnings.subject import Show, Subject, placeholders, with_needs

_SHOWN: dict[Show, str] = {
    "integer": "to_char({0}, 'FM999999999990')",
    "money": "to_char({0}, 'FM999,999,999,999,990')",
    "percent": "to_char({0} * 100, 'FM9999999990.0') || '%'",
    "decimal": "to_char({0}, 'FM999999999990.00')",
    "date": "to_char({0}, 'YYYY-MM-DD')",
    "text": "{0}::text",
    "flag": "case when {0} then '{yes}' when not {0} then '{no}' end",
}
_WORDS = {
    "zh": {"yes": "是", "no": "否", "unknown": "无"},
    "en": {"yes": "yes", "no": "no", "unknown": "n/a"},
}


def compile_hits(
    rules: Sequence[Rule],
    subjects: Mapping[str, Subject],
    *,
    book: str,
    as_of: date,
    schemas: Mapping[str, str],
) -> str:
    """The select that finds every hit of ``rules``, at most one a customer and rule.

    Returns SQL with the columns customer_id, facility_id, rule_id, rule_version, severity, evidence
    (jsonb: observed_on, the columns that were read or shown, thresholds), text_zh, text_en,
    recommended_response, quiet_days, began_on (null where the rule names no such column). Where several
    facilities of a customer are hit, the row is that of the severest, then the largest ``worst_first``,
    then the first facility_id, and the evidence counts them as facilities_hit.
    """
    values = placeholders(book, as_of, schemas)
    by_subject = _by_subject(rules)
    ctes = _subject_ctes(by_subject, subjects, values)
    selects = [
        _hits_of(subjects[name], group, book, values["observed_on"]) for name, group in by_subject.items()
    ]
    ctes.append("hit as (\n" + "\nunion all\n".join(selects) + "\n)")
    return f"with {', '.join(ctes)}\n{_ONE_PER_CUSTOMER_AND_RULE}"


def compile_flags(
    rules: Sequence[Rule],
    subjects: Mapping[str, Subject],
    *,
    book: str,
    as_of: date,
    schemas: Mapping[str, str],
    covered: bool = True,
) -> str:
    """The select that says whom the rules' subjects cover and whom the rules hit, and no more.

    Returns SQL with the columns subject, customer_id, rule_id and severity_rank (1 yellow to 3 red):
    one a customer and rule that is hit and, if ``covered``, one a covered customer with both null.
    """
    values = placeholders(book, as_of, schemas)
    by_subject = _by_subject(rules)
    ctes = _subject_ctes(by_subject, subjects, values)
    nobody = "    select null::int as rule_no\n    union all\n" if covered else ""
    selects = []
    for name, group in by_subject.items():
        subject, numbered = subjects[name], list(enumerate(group, start=1))
        which = ",\n        ".join(
            f"case when {_decision(rule, subject, book)[0]} then {number} end" for number, rule in numbered
        )
        ids = _choose((number, text_literal(rule.id)) for number, rule in numbered)
        ranks = _choose(
            (number, severity_rank(f"({_severity(rule, subject, book)})")) for number, rule in numbered
        )
        selects.append(
            f"select {text_literal(name)} as subject, customer_id,\n"
            f"    case when rule_no is not null then {ids} end as rule_id,\n"
            f"    max(case when rule_no is not null then {ranks} end) as severity_rank\n"
            f"from {name} cross join lateral (\n"
            f"{nobody}"
            f"    select found from unnest(array[\n        {which}]) as found where found is not null\n"
            f") as numbers (rule_no)\ngroup by 2, 3"
        )
    return f"with {', '.join(ctes)}\n" + "\nunion all\n".join(selects)


def _by_subject(rules: Sequence[Rule]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.subject, []).append(rule)
    return found


def _subject_ctes(
    names: Iterable[str], subjects: Mapping[str, Subject], values: Mapping[str, str]
) -> list[str]:
    return [
        f"{subject.name} as (\n{subject.query.format_map(values).strip()}\n)"
        for subject in with_needs(set(names), subjects)
    ]


_ONE_PER_CUSTOMER_AND_RULE = """
select customer_id, facility_id, rule_id, rule_version, severity,
    case
        when hits = 1 then evidence else evidence || jsonb_build_object('facilities_hit', hits)
    end as evidence,
    text_zh, text_en, recommended_response, quiet_days, began_on
from (
    select hit.*,
        count(*) over (partition by customer_id, rule_id) as hits,
        row_number() over (
            partition by customer_id, rule_id
            order by array_position(array['red', 'orange', 'yellow'], severity),
                worst desc nulls last, facility_id
        ) as place
    from hit
) as ranked
where place = 1
"""


def _hits_of(subject: Subject, rules: Sequence[Rule], book: str, observed_on: str) -> str:
    numbered = list(enumerate(rules, start=1))
    decided = {number: _decision(rule, subject, book) for number, rule in numbered}
    anyone = "\n        or ".join(f"({sql})" for sql, _ in decided.values())
    which = ",\n        ".join(f"case when {sql} then {number} end" for number, (sql, _) in decided.items())
    columns = {
        "rule_id": ((n, text_literal(rule.id)) for n, rule in numbered),
        "rule_version": ((n, str(rule.version)) for n, rule in numbered),
        "severity": ((n, _severity(rule, subject, book)) for n, rule in numbered),
        "evidence": ((n, _evidence(rule, subject, book, decided[n][1], observed_on)) for n, rule in numbered),
        "text_zh": ((n, _text(rule, subject, book, "zh")) for n, rule in numbered),
        "text_en": ((n, _text(rule, subject, book, "en")) for n, rule in numbered),
        "recommended_response": ((n, text_literal(rule.recommended_response)) for n, rule in numbered),
        "quiet_days": ((n, str(rule.quiet_days)) for n, rule in numbered),
        "began_on": ((n, f"{rule.began_on or 'null'}::date") for n, rule in numbered),
        "worst": ((n, f"{rule.worst_first or 0}::double precision") for n, rule in numbered),
    }
    chosen = ",\n    ".join(f"{_choose(branches)} as {name}" for name, branches in columns.items())
    facility = "facility_id" if subject.grain == "facility" else "null::text as facility_id"
    return (
        f"select customer_id, {facility},\n    {chosen}\n"
        f"from {subject.name} cross join lateral unnest(array[\n        {which}]) as rule_no\n"
        f"where ({anyone})\n    and rule_no is not null"
    )


def _choose(branches: Iterable[tuple[int, str]]) -> str:
    """One expression per rule number, the first one alone where all are the same."""
    listed = list(branches)
    if len({sql for _, sql in listed}) == 1:
        return listed[0][1]
    whens = "\n        ".join(f"when {number} then {sql}" for number, sql in listed)
    return f"case rule_no\n        {whens} end"


def _decision(rule: Rule, subject: Subject, book: str) -> tuple[str, list[str]]:
    """Condition within population as SQL, and every column that the decision or severity reads."""
    parts = [
        compile_expression(
            text, columns=subject.columns, parameters=rule.parameters_of(book), where=f"rule {rule.id}"
        )
        for text in (rule.population, rule.condition, *(step.when for step in rule.severity))
    ]
    population, condition = parts[0].sql, parts[1].sql
    sql = f"({condition})" if population == "true" else f"({population}) and ({condition})"
    return sql, list(dict.fromkeys(column for part in parts for column in part.columns))


def _severity(rule: Rule, subject: Subject, book: str) -> str:
    *steps, last = rule.severity
    whens = " ".join(
        "when "
        + compile_expression(
            step.when, columns=subject.columns, parameters=rule.parameters_of(book), where=f"rule {rule.id}"
        ).sql
        + f" then '{step.level}'"
        for step in steps
    )
    return f"case {whens} else '{last.level}' end" if steps else f"'{last.level}'"


def _evidence(rule: Rule, subject: Subject, book: str, read: Iterable[str], observed_on: str) -> str:
    shown = [
        match["name"]
        for template in (rule.text.zh, rule.text.en)
        for match in PLACEHOLDER.finditer(template)
        if match["name"] in subject.columns
    ]
    names = list(dict.fromkeys([*rule.evidence, *read, *shown]))
    pairs = [f"'observed_on', {observed_on}", *(f"'{name}', {name}" for name in names)]
    thresholds = rule.parameters_of(book)
    if thresholds:
        pairs.append(f"'thresholds', {text_literal(json.dumps(thresholds, sort_keys=True))}::jsonb")
    return f"jsonb_build_object({', '.join(pairs)})"


def _text(rule: Rule, subject: Subject, book: str, language: str) -> str:
    words, parameters = _WORDS[language], rule.parameters_of(book)
    template = getattr(rule.text, language).strip()
    parts: list[str] = []
    position = 0
    for match in PLACEHOLDER.finditer(template):
        parts.append(text_literal(template[position : match.start()]))
        parts.append(_placeholder(match["name"], match["show"], subject, parameters, words))
        position = match.end()
    parts.append(text_literal(template[position:]))
    return " || ".join(part for part in parts if part != "''") or "''"


def _placeholder(
    name: str, show: str | None, subject: Subject, parameters: Mapping[str, Number], words: Mapping[str, str]
) -> str:
    if name in parameters:
        value = number_literal(parameters[name]) + "::numeric"
        return f"({_SHOWN[show].format(value, **words)})" if show else f"'{parameters[name]:g}'"  # type: ignore[index]
    form: Show = show or subject.columns[name].show  # type: ignore[assignment]
    return f"coalesce({_SHOWN[form].format(name, **words)}, '{words['unknown']}')"


def compile_explanation(rule: Rule, subject: Subject, book: str) -> dict[str, str]:
    """What decides and what a person reads, as expressions over the subject's columns alone.

    Keys: population, condition, severity, text_zh, text_en.
    """
    parts = {
        name: compile_expression(
            text, columns=subject.columns, parameters=rule.parameters_of(book), where=f"rule {rule.id}"
        ).sql
        for name, text in (("population", rule.population), ("condition", rule.condition))
    }
    return {
        **parts,
        "severity": _severity(rule, subject, book),
        "text_zh": _text(rule, subject, book, "zh"),
        "text_en": _text(rule, subject, book, "en"),
    }


def severity_rank(column: str) -> str:
    """SQL that orders severities: yellow 1, orange 2, red 3."""
    ordered = ", ".join(f"'{level}'" for level, _ in sorted(SEVERITY_RANK.items(), key=lambda item: item[1]))
    return f"array_position(array[{ordered}], {column})"
