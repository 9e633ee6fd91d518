"""Every command that README and docs show is executed: as it stands, on the running platform.

What stands for something of one's own (an id, a file, a version) is looked up or made; a few commands are
executed by other tests, which are named. Commands run in this process, by the program's own parser. They
change what the platform shows, so they run behind the other tests of it (``tests/conftest.py``).
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.warehouse import connect
from models_ml.lifecycle import registry
from models_ml.store import tracking
from models_ml.validate.gates import Gate
from tests.contract.test_documented_commands import PAGES, shown
from tests.e2e.conftest import BOOK, DAY

pytestmark = pytest.mark.e2e

CARD = "demo.retail_behaviour"
#: Commands that another test executes as they are shown.
ELSEWHERE = {
    r"(run all|backfill|run ingest) --book mybook": "tests/e2e/conftest.py and test_chain.py",
    r"ingest taiwan_cards": "tests/e2e/test_taiwan_cards.py",
    r"loan_tape": "tests/contract/test_sources_guide.py",
    r"old_bank|adapters try NAME": "tests/ingest/test_relational_onboarding.py",
    r"borrowers": "tests/ml/test_flat_onboarding.py",
    r"fetch mybook": "tests/places",
}


def commands() -> list[str]:
    """Commands of all pages, each once, those of the Chinese pages in English words."""
    found = []
    for page in PAGES:
        for command in shown(page):
            said = command.replace("编号", "ID").replace("……", "...").replace("已验证", "validated")
            if said.startswith("creditops ") and not any(re.search(each, said) for each in ELSEWHERE):
                found += [re.sub(r" ?\[[^]]*\]", "", said), re.sub(r"[][]", "", said)]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def own(published: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what commands write, and a login that may act for people."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        me = pwd.getpwuid(os.geteuid()).pw_name
        patch.setenv("CREDITOPS_SERVICE_ACCOUNTS", me)
        patch.setenv("CREDITOPS_ACTORS", f"{me}=approver")
        get_settings.cache_clear()
        yield folder
    get_settings.cache_clear()


def one(statement: str) -> Any:
    """The first column of the first row."""
    with connect("publisher") as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
    assert row is not None, statement
    return row[0]


def challenger() -> str:
    """Another version of the demo's scorecard, trained by somebody else, with passed gates."""
    client = tracking.client()
    held = client.get_model_version_by_alias(CARD, "champion")
    model = held.source.rpartition("/")[2]
    number = str(client.create_model_version(CARD, held.source, held.run_id, model_id=model).version)
    gates = [Gate("auc_hold_out", True, 0.8, 0.65, "hold-out AUC 0.8")]
    registry.mark_challenger(CARD, number, actor="modeller", gates=gates, tags={"as_of": DAY.isoformat()})
    return number


def a_warning(*states: str) -> Callable[[], str]:
    return lambda: str(one(
        f"select warning_id from actions.early_warnings where book = '{BOOK}'"
        f" and status in ({', '.join(repr(each) for each in states)}) order by warning_id limit 1"
    ))  # fmt: skip


def an_action(status: str, kind: str = "%") -> Callable[[], str]:
    return lambda: str(one(
        f"select action_id from actions.proposed_actions where book = '{BOOK}' and status = '{status}'"
        f" and kind like '{kind}' order by action_id limit 1"
    ))  # fmt: skip


def quarantined() -> str:
    """A row at fault, of a delivery made for it."""
    folder = delivery(first=1000 * (1 + len(list(Path.cwd().iterdir()))))
    done = CliRunner().invoke(app, ["ingest", "mybook", folder, "--as-of", "2026-06-29"])
    assert done.exit_code == 0, done.output
    return str(one(
        "select quarantine_id from ops.quarantine where status = 'open' and book = 'mybook'"
        " order by 1 limit 1"
    ))  # fmt: skip


def batch() -> str:
    return str(one(
        "select batch_id from ops.load_ledger where book = 'mybook' and status = 'loaded'"
        " and withdrawn_by is null order by 1 limit 1"
    ))  # fmt: skip


def delivery(first: int = 0) -> str:
    """A folder with a file of customers, one of whose rows is at fault."""
    folder = Path.cwd() / f"delivery{first}"
    folder.mkdir(exist_ok=True)
    rows = [f"K{first + number:06},retail,2026-06-01" for number in range(300)]
    rows.append(f"K{first + 999:06},nobody,2026-06-01")
    (folder / "customers.csv").write_text("\n".join(["customer_id,customer_type,effective_date", *rows]))
    return str(folder)


def policy() -> str:
    shipped = PROJECT_ROOT / "creditops" / "policy" / "versions" / "demo" / "CP-2025.1.yml"
    path = Path.cwd() / "NEW.yml"
    path.write_text(shipped.read_text(encoding="utf-8").replace("CP-2025.1", "CP-NEXT"), encoding="utf-8")
    return str(path)


def limited() -> tuple[str, str]:
    with connect("publisher") as connection:
        row = connection.execute(
            "select l.customer_id, l.product_id from publish.credit_limits l join publish.credit_assessment a"
            " using (book, customer_id) where l.book = %s order by 1, 2 limit 1", (BOOK,),
        ).fetchone()  # fmt: skip
    assert row is not None
    return row


def graded() -> tuple[str, str]:
    """A customer and the grade beside their own."""
    with connect("publisher") as connection:
        row = connection.execute(
            "select customer_id, grade::int + 1 from scoring.customer_scores where book = %s and"
            " scorecard = 'retail_behaviour' and as_of_date = (select max(as_of_date) from"
            " scoring.customer_scores where book = 'demo') and grade in ('4', '5', '6', '7')"
            " and customer_id not in (select customer_id from scoring.grade_override) order by 1 limit 1",
            (BOOK,),
        ).fetchone()
    assert row is not None
    return row[0], str(row[1])


#: A small book shows the same as a large one.
SMALL = ("--customers", "300", "--months", "24")
#: What stands for something of one's own, by what the command begins with; the first that fits holds.
OWN: list[tuple[str, Callable[[list[str]], list[str]]]] = [
    (r"warnings (show|ack)|explain warning", lambda w: replaced(w, ID=a_warning("raised", "acknowledged"))),
    (r"warnings respond", lambda w: replaced(w, ID=a_warning("raised", "acknowledged"))),
    (r"warnings resolve", lambda w: replaced(w, ID=a_warning("raised", "acknowledged", "in_response"))),
    (r"actions approve .*--amount", lambda w: replaced(w, ID=an_action("proposed", "reduce_limit"))),
    (r"actions (approve|reject)", lambda w: replaced(w, ID=an_action("proposed", "watch"))),
    (r"actions done", lambda w: replaced(w, ID=an_action("approved"))),
    (r"quarantine (show|replay|discard)", lambda w: replaced(w, **{"17": quarantined})),
    (r"ledger withdraw", lambda w: replaced(w, **{"17": batch})),
    (r"ingest mybook", lambda w: replaced(w, **{"/data/2026-06-30": delivery})),
    (r"policy try", lambda w: replaced(w, **{"NEW.yml": policy})),
    (r"explain limit", lambda w: [*w[:2], *limited()]),
    (r"assess", lambda w: replaced(w, C0000017=lambda: limited()[0])),
    (r"models compare", lambda w: ["models", "compare", CARD, "1", challenger(), *w[5:]]),
    (r"models (approve|reject|retire)", lambda w: [*w[:2], CARD, challenger(), *w[4:]]),
    (r"models rollback", lambda w: crowned_before([*w[:2], CARD, *w[3:]])),
    (r"models (show|history)", lambda w: replaced(w, NAME=lambda: CARD, VERSION=lambda: "1")),
    (r"models pending", lambda w: replaced(w, B=lambda: BOOK)),
    (r"models overrides add", lambda w: [*w[:3], *graded(), *replaced(w[5:], B=lambda: BOOK,
        S=lambda: "retail_behaviour", DATE=lambda: "2026-12-31", WHO=lambda: "admin")]),
    (r"models overrides end", lambda w: replaced(w, NUMBER=lambda: str(one(
        "select override_id from scoring.grade_override where ended_on is null order by 1 limit 1")))),
    (r"publish rollback", lambda w: w),
    (r"simulate --out", lambda w: [*replaced(w, DIR=new_folder), *SMALL]),
    (r"query .*", lambda w: w),
]  # fmt: skip


def new_folder() -> str:
    return str(Path.cwd() / f"book{len(list(Path.cwd().iterdir()))}")


def crowned_before(words: list[str]) -> list[str]:
    """A rollback needs a champion before: a version is approved first."""
    registry.approve(CARD, challenger(), actor="approver", reason="to be rolled back")
    return words


def replaced(words: list[str], **by: Callable[[], str]) -> list[str]:
    made = {"FILE": "page.html", "DATE": DAY.isoformat(), "TEXT": "as shown"}
    return [by[word]() if word in by else made.get(word, word) for word in words]


@pytest.mark.parametrize("command", sorted(commands(), key=lambda each: "rollback" in each))
def test_a_shown_command_does_what_it_says(own: Path, command: str) -> None:
    words = shlex.split(command)[1:]
    line = " ".join(words)
    given = next((make(words) for begin, make in OWN if re.match(begin, line)), replaced(words))
    if line.startswith("publish rollback"):
        before(own)
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, f"{command}: {result.exception!r} {result.output}"
    assert result.output.strip(), command


def before(own: Path) -> None:
    """There is a publication before the current one to go back to."""
    with connect("owner") as connection:
        current = connection.execute(
            "select publication_id from ops.publication where book = %s", (BOOK,)
        ).fetchone()
        assert current is not None
        other = f"{current[0]}-b"
        connection.execute(
            "insert into ops.publication_history select %s, book, as_of_date, known_at, created_at,"
            " published_at, 'published', code_version, models, policy_version, gates"
            " from ops.publication_history"
            " where publication_id = %s on conflict do nothing", (other, current[0]),
        )  # fmt: skip
        connection.execute("select ops.flip(%s, true, 'tester', 'to be rolled back')", (other,))


def test_other_tests_execute_the_rest() -> None:
    for test in ELSEWHERE.values():
        for path in re.findall(r"tests/[\w/]+(?:\.py)?", test):
            assert (PROJECT_ROOT / path).exists(), path
