"""``creditops sources``: contracts drafted, checked, listed, shown and applied."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from creditops import clock
from creditops.cli.options import AnyBook, AsJson
from creditops.cli.output import as_json, attention, console, table
from creditops.errors import UsageError
from creditops.settings import get_settings

app = typer.Typer(help="Source contracts: draft, check, list, show, apply.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Sources or files; default all.")]


@app.command()
def new(
    from_: Annotated[
        Path | None, typer.Option("--from", help="A sample file: CSV, Excel, JSON lines or Parquet.")
    ] = None,
    characteristics: Annotated[
        Path | None,
        typer.Option(help="Instead: a flat file with an outcome; drafts contract, adapter and scorecard."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Name; default from the file's.")] = None,
    domain: Annotated[str | None, typer.Option(help="repayment, financial, bureau or reference.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default your own contracts folder.")] = None,
    book: Annotated[str | None, typer.Option(help="Of a flat file: the book; default from its name.")] = None,
    target: Annotated[str | None, typer.Option(help="Of a flat file: the column of the outcome.")] = None,
    bad: Annotated[str | None, typer.Option(help="Of a flat file: the outcome's bad value.")] = None,
    observed_on: Annotated[
        str | None, typer.Option("--observed-on", help="Of a flat file: the day its variables hold for.")
    ] = None,
    outcome_on: Annotated[
        str | None, typer.Option("--outcome-on", help="Of a flat file: the day its outcomes were known.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Draft a contract from a sample: types, null rule, codes, key, personal data, how it is written."""
    from creditops.onboarding.draft import draft
    from creditops.sources.contract import user_folders

    if (from_ is None) == (characteristics is None):
        raise UsageError("name one file", hint="with --from, or with --characteristics for a flat file")
    if characteristics is not None:
        _new_flat(characteristics, book, target, bad, observed_on, outcome_on, json_)
        return
    assert from_ is not None
    if domain not in (None, "repayment", "financial", "bureau", "reference"):
        raise UsageError(f"{domain!r} is no domain", hint="use repayment, financial, bureau or reference")
    made = draft(from_, source=source, domain=domain)  # type: ignore[arg-type]
    target_file = (out or user_folders()[0]) / f"{made.source}.yml"
    _write_new({target_file: made.text})
    if json_:
        as_json({"source": made.source, "file": str(target_file), "notes": made.notes})
        return
    _show_notes([target_file], made.notes)
    console.print(f"next: edit it, then `creditops sources check {made.source}`", markup=False)


def _new_flat(
    path: Path,
    book: str | None,
    target: str | None,
    bad: str | None,
    observed_on: str | None,
    outcome_on: str | None,
    json_: bool,
) -> None:
    from creditops.books import parse_day
    from creditops.onboarding.flat_draft import draft_flat

    made = draft_flat(
        path,
        book=book,
        target=target,
        bad=bad,
        observed_on=parse_day(observed_on) if observed_on else None,
        outcome_on=parse_day(outcome_on) if outcome_on else None,
        today=clock.today(get_settings().timezone),
    )
    _write_new(made.files)
    if json_:
        as_json({"book": made.book, "files": [str(each) for each in made.files], "notes": made.notes,
                 "observed_on": made.observed_on, "outcome_on": made.outcome_on})  # fmt: skip
        return
    _show_notes(list(made.files), made.notes)
    console.print("next: edit them, then", markup=False)
    console.print(
        f"  creditops ingest {made.book} {path} --adapter {made.book}", markup=False, soft_wrap=True
    )
    console.print(f"  creditops run all --book {made.book} --as-of {made.outcome_on}", markup=False)


def _write_new(files: dict[Path, str]) -> None:
    """Write drafts, all or none; what is there already is never replaced."""
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists", hint="edit it, or choose another name with --source or --book")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _show_notes(files: list[Path], notes: list[tuple[str, str]]) -> None:
    for path in files:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
    for place, note in notes:
        console.print(f"- {place}: {note}", markup=False, soft_wrap=True)


@app.command()
def check(
    names: Names = None,
    try_: Annotated[
        Path | None, typer.Option("--try", help="Read this file by the one named source; nothing is loaded.")
    ] = None,
    book: AnyBook = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    json_: AsJson = False,
) -> None:
    """Lint contracts: the language's own rules, and what a reviewer would ask for."""
    from creditops.sources.lint import check as lint

    findings = [vars(each) for each in lint(names or ())]
    errors = [each for each in findings if each["severity"] == "error"]
    trial: dict[str, Any] | None = None
    if try_ is not None and not errors:
        if len(names or ()) != 1:
            raise UsageError("--try needs exactly one source", hint="creditops sources check NAME --try FILE")
        from creditops.onboarding.trial import try_file
        from creditops.sources.contract import load_contract, read_contract

        name = (names or [])[0]
        own = Path(name).suffix in (".yml", ".yaml")
        trial = vars(
            try_file(read_contract(Path(name)) if own else load_contract(name, book), try_, book=book)
        )
    if json_:
        as_json({"findings": findings, "trial": trial})
    else:
        for each in findings:
            where = f"{each['file']}:{each['line']}" if each["line"] else each["file"]
            console.print(f"{each['severity']}: {where}: {each['message']}", markup=False, soft_wrap=True)
            console.print(f"  what to do: {each['remedy']}", markup=False, soft_wrap=True)
        if not findings:
            console.print("no findings")
        if trial is not None:
            console.print(
                f"{try_}: {trial['rows']:,} rows, {trial['bad']:,} would go to quarantine", markup=False
            )
            table(trial["reasons"], ("column", "reason", "rows", "first_line", "example"), title="why")
            hidden = trial["cells_masked"].items()
            attention([f"personal data would be masked in {cells} cells of {name}" for name, cells in hidden])
            attention(trial["unlikely"])
    if errors or (strict and findings):
        raise typer.Exit(2)
    if trial is not None and trial["refused"]:
        raise typer.Exit(3)


@app.command("list")
def list_(book: AnyBook = None, json_: AsJson = False) -> None:
    """Every source with its domain, key and where it is defined."""
    from creditops.sources.contract import SOURCES_FOLDER, contract_file, load_contracts

    rows = [
        {
            "source": name,
            "domain": contract.domain,
            "version": contract.version,
            "columns": len(contract.columns),
            "key": ", ".join(contract.key),
            "delivery": contract.delivery.mode,
            "defined": "platform"
            if contract_file(name).parent == SOURCES_FOLDER
            else str(contract_file(name)),
            "en": contract.description.en,
            "zh": contract.description.zh,
        }
        for name, contract in load_contracts(book).items()
    ]
    if json_:
        as_json(rows)
        return
    table(rows, ("source", "domain", "version", "columns", "key", "delivery", "defined"), title="sources")


@app.command()
def show(name: str, book: AnyBook = None, json_: AsJson = False) -> None:
    """One source: what it delivers, column by column, in English and Chinese."""
    from creditops.sources.contract import contract_file, load_contract

    contract = load_contract(name, book)
    if json_:
        as_json({**contract.model_dump(mode="json"), "file": str(contract_file(name))})
        return
    console.print(f"{contract_file(name)}", markup=False, soft_wrap=True)
    console.print(f"{contract.description.en} / {contract.description.zh}", markup=False, soft_wrap=True)
    console.print(f"{contract.grain}; key ({', '.join(contract.key)})", markup=False, soft_wrap=True)
    rows = [
        {
            "column": column.name,
            "in file": column.header or "",
            "type": column.type,
            "raw": f"{column.raw_name} {column.postgres_type}",
            "rules": _rules(column),
            "meaning": f"{column.description.en} / {column.description.zh}",
        }
        for column in contract.columns
    ]
    table(rows, ("column", "in file", "type", "raw", "rules", "meaning"))
    for check_ in contract.checks:
        console.print(f"{check_.severity}: {check_.expression}: {check_.message.en}", markup=False)


@app.command()
def apply(names: Names = None, json_: AsJson = False) -> None:
    """Make or widen raw tables to fit their contracts (loading does it by itself)."""
    from creditops.sources.contract import load_book_contracts, load_contract, load_contracts
    from creditops.warehouse.raw_tables import ensure_current

    chosen = (
        [load_contract(name) for name in names]
        if names
        else [*load_contracts().values(), *load_book_contracts()]
    )
    rows = []
    for contract in chosen:
        done = ensure_current(contract)
        rows.append(
            {
                "table": f"raw.{contract.table}",
                "made": done.missing or done.replaced,
                "columns added": list(done.columns),
                "may be empty now": list(done.nullable),
                "widened": list(done.widened),
            }
        )
    if json_:
        as_json(rows)
        return
    headings = ("table", "made", "columns added", "may be empty now", "widened")
    table([row for row in rows if any(row[name] for name in headings[1:])], headings, title="changed")


@app.command()
def generate(
    check_: Annotated[
        bool, typer.Option("--check", help="Only say what is out of date; exit code 2.")
    ] = False,
    own: Annotated[bool, typer.Option("--own", help="Of your own contracts, not of the platform's.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --own: folder; default `generated` beside the contracts.")
    ] = None,
) -> None:
    """Write what follows from the contracts: dbt's sources, the data dictionary, the DAGs' sources."""
    from creditops import generate as generated
    from creditops.sources.contract import user_folders

    if out is not None and not own:
        raise UsageError("--out goes with --own", hint="the platform's files have their places")
    files = generated.generate_own(out or user_folders()[0] / "generated") if own else generated.generate()
    changed = generated.stale(files)
    if not check_:
        generated.write({path: files[path] for path in changed})
    for path in changed:
        console.print(f"{'out of date' if check_ else 'wrote'} {path}", markup=False, soft_wrap=True)
    if not changed:
        console.print("all generated files are current")
    if check_ and changed:
        raise typer.Exit(2)


def _rules(column: Any) -> str:
    parts = ["required"] if column.required else []
    if column.values:
        parts.append("one of " + ", ".join(column.values))
    if column.pattern:
        parts.append(f"like {column.pattern}")
    if column.unit:
        parts.append(f"in {column.unit}")
    if column.pii != "none":
        parts.append(f"personal ({column.pii}), hashed" if column.is_hashed else "personal, year kept")
    if column.detect is not None:
        reason = f" ({column.detect_reason})" if column.detect_reason else ""
        parts.append(f"personal data found in it: {column.detect}{reason}")
    return "; ".join(parts)
