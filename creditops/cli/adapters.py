"""``creditops adapters``: how a foreign system's files become rows of the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from creditops.cli.options import AsJson
from creditops.cli.output import as_json, attention, console, table
from creditops.errors import UsageError

app = typer.Typer(help="Adapters: list, check, try.", no_args_is_help=True)


@app.command("list")
def list_(json_: AsJson = False) -> None:
    """Every adapter: the book it is for, the files it reads, the sources it makes."""
    from creditops.adapters import adapter_names, broken_adapters, load_adapter

    broken = {path.parent.name: error for path, error in broken_adapters()}
    rows: list[dict[str, str | None]] = [
        {
            "adapter": adapter.name,
            "book": adapter.book,
            "files": ", ".join(form.files[0] for form in adapter.mapping.inputs.values()),
            "sources": ", ".join(adapter.sources),
            "defined": str(adapter.folder),
            "problem": None,
        }
        for adapter in map(load_adapter, (name for name in adapter_names() if name not in broken))
    ]
    if json_:
        as_json([*rows, *({"adapter": name, "problem": str(error)} for name, error in broken.items())])
    else:
        table(rows, ("adapter", "book", "files", "sources"), title="adapters")
        attention([str(error) for error in broken.values()])


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters; default all.")] = None,
    json_: AsJson = False,
) -> None:
    """Check adapters without any file: the language, the contracts they map to, every expression."""
    from creditops.adapters import adapter_names, load_adapter

    findings = []
    notes = []
    for name in names or adapter_names():
        try:
            adapter = load_adapter(name)
            adapter.try_empty()
            notes += [{"adapter": name, "message": each} for each in adapter.left_to_others()]
        except UsageError as error:
            findings.append({"adapter": name, "message": error.message, "remedy": error.hint or ""})
    if json_:
        as_json({"findings": findings, "notes": notes})
    else:
        for each in findings:
            console.print(f"error: {each['message']}", markup=False, soft_wrap=True)
            console.print(f"  what to do: {each['remedy']}", markup=False, soft_wrap=True)
        attention([f"{each['adapter']}: {each['message']}" for each in notes])
        if not findings:
            console.print("no findings")
    if findings:
        raise typer.Exit(2)


@app.command("try")
def try_(
    name: Annotated[str, typer.Argument(help="The adapter.")],
    path: Annotated[Path, typer.Argument(help="A delivered file, or the folder of a delivery.")],
    limit: Annotated[int | None, typer.Option(help="Only so many rows of each file.", min=1)] = None,
    rows: Annotated[int, typer.Option(help="Rows to show of each source.", min=0)] = 3,
    json_: AsJson = False,
) -> None:
    """Read a delivery by an adapter, loading nothing: what it makes, leaves out, would quarantine."""
    from creditops.adapters import load_adapter
    from creditops.onboarding.trial import try_adapter

    trials = try_adapter(load_adapter(name), path, limit=limit, shown=rows)
    if json_:
        as_json([vars(each) for each in trials])
    else:
        table(
            [
                {
                    **vars(each),
                    "left out": ", ".join(f"{count:,} {why}" for why, count in each.left_out.items()),
                    "to quarantine": each.bad,
                }
                for each in trials
            ],
            ("source", "file", "rows", "left out", "to quarantine"),
            title=f"what {name} makes of {path}",
        )
        why = [{"source": each.source, **reason} for each in trials for reason in each.reasons]
        if why:
            table(why, ("source", "column", "reason", "rows", "first_line", "example"), title="why")
        for each in trials:
            for number, row in enumerate(each.sample, start=1):
                shown = ", ".join(f"{column}={cell}" for column, cell in row.items())
                console.print(f"{each.source} {number}: {shown}", markup=False, soft_wrap=True)
    if any(each.refused for each in trials):
        raise typer.Exit(3)
