"""``creditops explain``: why a published verdict is what it is, with its arithmetic."""

from __future__ import annotations

from typing import Any

import typer

from creditops.cli.options import AsJson, Book
from creditops.cli.output import as_json, console, table

app = typer.Typer(help="Inputs, rule version and arithmetic of a published verdict.", no_args_is_help=True)


@app.command()
def limit(customer_id: str, product_id: str, book: Book = "demo", json_: AsJson = False) -> None:
    """Why a customer's recommended limit is what it is."""
    from creditops.limits.explanation import explain, recompute

    printout = explain(book, customer_id, product_id)
    printout["recomputed"] = recompute(printout)
    if json_:
        as_json(printout)
        return
    published = printout["published"]
    console.print(
        f"{customer_id} {product_id}: limit {published['current_limit']}, recommended"
        f" {published['recommended_limit']} (binding: {published['binding_cap']})\n"
        f"policy {published['policy_version']}, {published['change_reason']}\n"
        f"terms {published['current_terms'] or 'none'},"
        f" recommended {published['recommended_terms'] or 'none'}",
        markup=False,
    )
    table([{"input": name, "value": value} for name, value in printout["inputs"].items()], ("input", "value"))
    for number, step in enumerate(printout["steps"], start=1):
        console.print(f"{number}. {step['en']}\n   {step['zh']}", markup=False)
    console.print(f"worked out again: {printout['recomputed']['recommended_limit']}", markup=False)


@app.command()
def decision(application_id: str, book: Book = "demo", json_: AsJson = False) -> None:
    """Why a credit decision agrees with the policy in force, or does not."""
    from creditops.policy.explanation import explain, recompute

    printout = explain(book, application_id)
    printout["recomputed"] = recompute(printout)
    if json_:
        as_json(printout)
        return
    published = printout["published"]
    console.print(
        f"{application_id}: {published['decision']}, policy {published['policy_version']} says"
        f" {published['replayed_decision']} ({published['verdict']}); decided by {published['decided_by']},"
        f" override {published['override']}",
        markup=False,
    )
    table([{"input": name, "value": value} for name, value in printout["inputs"].items()], ("input", "value"))
    table(printout["standards"], ("id", "zh", "en", "decline_when", "declines"))
    again = printout["recomputed"]
    console.print(f"worked out again: {again['replayed_decision']}, {again['verdict']}", markup=False)


@app.command()
def warning(warning_id: str, book: Book = "demo", json_: AsJson = False) -> None:
    """Why an early warning stands."""
    from creditops.warnings.explanation import explain, recompute

    printout = explain(book, warning_id)
    printout["recomputed"] = recompute(printout)
    if json_:
        as_json(printout)
        return
    _print(printout)


def _print(printout: dict[str, Any]) -> None:
    published, rule = printout["published"], printout["rule"]
    console.print(
        f"{published['warning_id']}  {published['severity']}  {published['status']}\n"
        f"customer {published['customer_id']}"
        + (f", facility {published['facility_id']}" if published["facility_id"] else "")
        + f", raised {published['raised_on']}, last seen {published['last_seen_on']}\n"
        f"{published['text_zh']}\n{published['text_en']}\n"
        f"rule {rule['id']} version {rule['version']} ({rule['name']['zh']} / {rule['name']['en']}),"
        f" looks at {printout['subject']['en']} ({', '.join(printout['subject']['reads'])})",
        markup=False,
    )
    moments = ["latest"]
    if printout["at_severity"]["inputs"] != printout["latest"]["inputs"]:
        moments.append("at_severity")
    titles = {"latest": "when last seen", "at_severity": f"when it became {published['severity']}"}
    for moment in moments:
        shown = printout[moment]
        inputs = [
            {
                "input": name,
                "zh": printout["columns"][name]["zh"],
                "en": printout["columns"][name]["en"],
                "value": value,
            }
            for name, value in shown["inputs"].items()
        ]
        table(inputs, ("input", "zh", "en", "value"), title=f"{titles[moment]}, {shown['day']}")
        table(shown["steps"], ("step", "rule", "with_inputs", "result"), title="arithmetic")
    table(printout["events"], ("event_at", "event", "actor", "reason"), title="events")
    again = printout["recomputed"]
    console.print(
        f"worked out again: holds {'yes' if again['holds'] else 'no'}, severity {again['severity']}",
        markup=False,
    )
