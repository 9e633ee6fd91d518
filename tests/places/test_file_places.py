"""Files from a folder, a real SFTP server and a real S3 server land whole, once, and are loaded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from creditops import arrivals
from creditops.cli import app
from creditops.errors import CreditOpsError, DataRefusedError, ServiceUnreachableError, UsageError
from creditops.ingest.land.landing import landed_files
from creditops.ingest.write.loader import load_file
from creditops.places.fetch import fetch
from creditops.places.fetched import Fetched
from creditops.places.place import broken_places, load_places
from creditops.warehouse.connection import connect
from tests.places.conftest import PASSWORD, USER, SftpServer

DAY = date(2026, 6, 30)
PARTNERS = "partner_id,name,channel,effective_date\n"
Declare = Callable[..., None]


def partners(*rows: str) -> bytes:
    return (PARTNERS + "".join(f"{row},合作方,online,2025-01-01\n" for row in rows)).encode()


def fetch_all(book: str = "demo", name: str | None = None) -> list[Fetched]:
    return list(fetch(book, name))


@pytest.fixture
def remote(
    request: pytest.FixtureRequest, tmp_path: Path, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, bytes], None]:
    """Writes a file at the place called ``lender``, of the kind that the test asks for."""
    kind = request.param
    if kind == "folder":
        root = tmp_path / "outbox"
        root.mkdir()
        declare("lender", kind="folder", path=str(root), marker=None)
    elif kind == "sftp":
        server: SftpServer = request.getfixturevalue("sftp_server")
        root = server.root / tmp_path.name
        root.mkdir()
        monkeypatch.setenv("LENDER_PASSWORD", PASSWORD)
        declare(
            "lender",
            kind="sftp",
            host="127.0.0.1",
            port=server.port,
            username=USER,
            password_env="LENDER_PASSWORD",
            known_hosts=str(server.known_hosts),
            path=f"/{tmp_path.name}",
        )
    else:
        import boto3

        endpoint = request.getfixturevalue("s3_server")
        client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        bucket = "outbox-" + tmp_path.name.replace("_", "-")[-40:].strip("-")
        client.create_bucket(Bucket=bucket)
        extra = {"endpoint_url": endpoint}
        stored = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_LENDER_S3", json.dumps(stored))
        declare("lender", kind="s3", path=f"{bucket}/out", connection="lender_s3", region="us-east-1")

        def put(name: str, content: bytes) -> None:
            client.put_object(Bucket=bucket, Key=f"out/{name}", Body=content)

        return put

    def write(name: str, content: bytes) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return write


EVERY_KIND = pytest.mark.parametrize("remote", ["folder", "sftp", "s3"], indirect=True)


@EVERY_KIND
def test_a_file_is_fetched_once_per_content_and_loaded(
    remote: Callable[[str, bytes], None], home: Path
) -> None:
    remote("2026-06-30/partners.csv", partners("P1", "P2"))
    remote("readme.md", b"not a source")
    (first,) = fetch_all()
    assert (first.source, first.delivery, first.place) == ("partners", DAY, "lender")
    assert fetch_all() == []
    (landed,) = landed_files("demo", DAY, {"partners"})
    assert landed.path.read_bytes() == partners("P1", "P2")
    assert landed.path.with_name(f"{landed.path.name}.done").exists()
    assert load_file(landed).rows_read == 2
    remote("2026-06-30/partners.csv", partners("P1", "P2", "P3"))
    (second,) = fetch_all()
    assert second.file != first.file
    assert [each.path.name for each in landed_files("demo", DAY, {"partners"})] == sorted(
        Path(each.file).name for each in (first, second)
    )
    assert not list((home / "landing").rglob("*.partial"))


@EVERY_KIND
def test_a_file_that_no_source_takes_is_said_once_and_is_in_the_ledger(
    remote: Callable[[str, bytes], None], caplog: pytest.LogCaptureFixture
) -> None:
    remote("2026-06-30/partners.csv", partners("P1"))
    remote("2026-06-30/paymets.csv", b"payment_id\n")
    remote("2026-06-30/paymets.csv.done", b"")
    remote("2026-06-30/notes.pdf", b"%PDF")
    (fetched,) = fetch_all(book="stray")
    assert fetched.source == "partners"
    assert fetch_all(book="stray") == []
    with connect("loader") as connection:
        noted = connection.execute(
            "select file, delivery_date, status, message from ops.load_ledger where book = 'stray'"
            " and file like '%lender:%' order by batch_id desc limit 2"
        ).fetchall()[::-1]
    assert [each[:3] for each in noted] == [
        (f"stray/{DAY}/lender:{name}", DAY, "not_taken") for name in ("notes.pdf", "paymets.csv")
    ]
    assert "a file of this kind cannot be read; it stays in the place lender at " in noted[0][3]
    assert "no source is called 'paymets'; is it payments?" in noted[1][3]
    assert len([each for each in caplog.messages if "paymets.csv is not taken" in each]) == 1


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
def test_personal_data_in_the_name_of_a_file_that_stays_are_shown_nowhere(
    remote: Callable[[str, bytes], None], caplog: pytest.LogCaptureFixture
) -> None:
    remote("2026-06-30/partners.csv", partners("P1"))
    remote("2026-06-30/13987654321.csv", b"payment_id\n")
    fetch_all(book="named")
    with connect("loader") as connection:
        (noted,) = connection.execute(
            "select file, message from ops.load_ledger where book = 'named' and file like '%lender:%'"
        ).fetchall()
    assert noted[0] == f"named/{DAY}/lender:[phone].csv"
    assert "13987654321" not in f"{noted} {caplog.text}"


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
class TestChoice:
    def test_the_command_shows_what_came_and_what_there_is(
        self, remote: Callable[[str, bytes], None]
    ) -> None:
        remote("2026-06-30/partners.csv", partners("P1"))
        runner = CliRunner()
        (line,) = json.loads(runner.invoke(app, ["fetch", "demo", "--json"]).stdout)
        assert (line["source"], line["delivery"]) == ("partners", "2026-06-30")
        assert json.loads(runner.invoke(app, ["fetch", "demo", "lender", "--json"]).stdout) == []
        (place,) = json.loads(runner.invoke(app, ["places", "list", "--json"]).stdout)
        assert (place["place"], place["kind"]) == ("lender", "folder")
        assert place["last fetched"]

    def test_a_marker_is_waited_for(
        self, remote: Callable[[str, bytes], None], declare: Declare, tmp_path: Path
    ) -> None:
        declare("lender", kind="folder", path=str(tmp_path / "outbox"), marker=".ok")
        remote("partners.20260630.csv", partners("P1"))
        assert fetch_all() == []
        remote("partners.20260630.csv.ok", b"")
        assert [each.delivery for each in fetch_all()] == [DAY]

    def test_a_file_that_still_changes_is_left_alone(
        self, remote: Callable[[str, bytes], None], declare: Declare, tmp_path: Path
    ) -> None:
        declare("lender", kind="folder", path=str(tmp_path / "outbox"), settled_seconds=3600)
        remote("partners.csv", partners("P1"))
        assert fetch_all() == []
        os.utime(tmp_path / "outbox" / "partners.csv", (1_700_000_000, 1_700_000_000))
        assert len(fetch_all()) == 1

    def test_patterns_name_the_source_and_books_have_their_own_places(
        self, remote: Callable[[str, bytes], None], declare: Declare, tmp_path: Path
    ) -> None:
        declare(
            "lender",
            kind="folder",
            path=str(tmp_path / "outbox"),
            patterns={"hzf_*.csv": "partners"},
            books=["demo"],
        )
        remote("a/hzf_2026-06-30.csv", partners("P1"))
        remote("b/hzf_2026-06-30.csv", partners("P1"))
        assert len({each.file for each in fetch_all()}) == 2
        with pytest.raises(UsageError, match="no place is declared for book other"):
            fetch_all("other")
        assert list(fetch("demo", day=date(2026, 7, 1))) == []


def test_a_wrong_password_an_unknown_host_key_and_a_dead_server_are_told(
    declare: Declare, sftp_server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {
        "kind": "sftp",
        "host": "127.0.0.1",
        "port": sftp_server.port,
        "username": USER,
        "password_env": "LENDER_PASSWORD",
        "known_hosts": str(sftp_server.known_hosts),
        "path": "/",
    }
    monkeypatch.setenv("LENDER_PASSWORD", "wrong")
    declare("lender", **right)
    with pytest.raises(ServiceUnreachableError, match="place lender does not answer") as refused:
        fetch_all()
    assert "wrong" not in str(refused.value)
    monkeypatch.setenv("LENDER_PASSWORD", PASSWORD)
    (tmp_path / "empty").write_text("")
    declare("lender", **{**right, "known_hosts": str(tmp_path / "empty")})
    with pytest.raises(ServiceUnreachableError, match="HostKeyNotVerifiable"):
        fetch_all()
    declare("lender", **{**right, "path": "/absent"})
    with pytest.raises(UsageError, match="/absent does not exist there"):
        fetch_all()
    monkeypatch.delenv("LENDER_PASSWORD")
    with pytest.raises(UsageError, match="LENDER_PASSWORD is not set"):
        fetch_all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "ftp"}, "ftp"),
        ({"path": None}, "line 2: path"),
        ({"password": "secret"}, "password: Extra inputs"),
        ({"day_pattern": "(\\d+)"}, "needs three groups"),
        ({"place": "other"}, "'other' is not the name of the file"),
    ],
)
def test_a_faulty_declaration_names_its_line(declare: Declare, change: dict[str, Any], problem: str) -> None:
    declare("lender", **{"kind": "folder", "path": "outbox", **change})
    (broken,) = broken_places("demo")
    assert problem in str(broken.error)
    assert load_places() == {}
    with pytest.raises(UsageError, match=problem):
        fetch_all("demo", "lender")


def test_a_broken_place_holds_up_no_other(declare: Declare, tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    (outbox / "payments.2026-06-30.csv").write_text("payment_id\n")
    declare("bank", kind="folder", path=str(outbox), books=["demo", "mybook"])
    declare("broken", kind="folder", books=["demo"])
    fetching = fetch("demo")
    assert next(fetching).place == "bank"
    with pytest.raises(UsageError, match=r"broken\.yml: line 1: path"):
        next(fetching)
    assert [each.place for each in fetch("mybook")] == ["bank"]
    with pytest.raises(CreditOpsError, match=r"broken\.yml"):
        arrivals.fetch_all()


@pytest.mark.usefixtures("warehouse")
def test_a_link_put_in_the_place_of_a_listed_file_is_not_followed(tmp_path: Path, declare: Declare) -> None:
    root, secret = tmp_path / "outbox", tmp_path / "of_another_book.csv"
    (root / "yonder").mkdir(parents=True)
    for path in (
        root / "partners.1.csv",
        root / "partners.2.csv",
        root / "yonder" / "partners.3.csv",
        secret,
    ):
        path.write_bytes(partners("P1"))
    declare("swapped", kind="folder", path=str(root), marker=None)
    fetching = fetch("demo", "swapped")
    first = next(fetching)  # what is there has been listed by now
    rest = [path for path in root.rglob("*.csv") if str(path) != first.item]
    for path in rest:
        path.unlink()
        path.symlink_to(secret)
    with pytest.raises(DataRefusedError, match="a link has taken the place of this file"):
        next(fetching)

    for path in rest:
        path.unlink()
        path.write_bytes(partners("P2", "P3"))
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "partners.3.csv").write_bytes(partners("P2", "P3"))
    fetching = fetch("demo", "swapped")
    names = [next(fetching).item]
    shutil.rmtree(root / "yonder")
    (root / "yonder").symlink_to(elsewhere)
    with pytest.raises(DataRefusedError, match="a link has taken the place of this file"):
        names += [each.item for each in fetching]
