"""The commands that look after the outbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from airflow_provider_ryft.cli.definition import main
from airflow_provider_ryft.ingest.query import Query, QueryState
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> str:
    text = json.dumps({"conn_type": "ryft", "host": sandbox.url, "password": token, "extra": {"deadline": 1}})
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", text)
    return text


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Return an outbox that three queries wait in."""
    outbox = Outbox(tmp_path / "outbox")
    journal = outbox.open_journal()
    for number in range(3):
        query = Query(
            query_id=f"q-{number}",
            query=f"SELECT '[/b] :duck: {number}'",
            query_state=QueryState.FINISHED,
            timestamp="2026-03-10T12:00:00Z",  # type: ignore[arg-type]
            duration_ms=1,
        )
        journal.record_end(query.query_id, query.encode())
    journal.close_journal()
    return outbox


def listed(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, int]]:
    assert main(["outbox", "list", "--path", outbox.path, "--output", "json"]) == 0
    found: dict[str, dict[str, int]] = json.loads(capsys.readouterr().out)
    return found


def test_json_says_what_is_in_each_folder(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(outbox, capsys)
    assert found["path"] == outbox.path
    assert found["ready"]["queries"] == 3
    assert found["ready"]["bytes"] > 300
    assert found["dead"]["queries"] == 0


def test_the_table_says_it_too(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "list", "--path", outbox.path]) == 0
    rows = capsys.readouterr().out.splitlines()
    (ready,) = [row for row in rows if row.startswith("ready ")]
    assert " 3 " in ready
    assert "ago" in ready


def test_yaml_is_the_same_as_json(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "list", "--path", outbox.path, "--output", "yaml"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    expected = listed(outbox, capsys)
    for place in ("running", "ready", "claimed", "dead"):
        assert found[place].pop("age") == pytest.approx(expected[place].pop("age"), abs=60)
    assert found == expected


def test_an_outbox_that_is_not_there_is_empty_and_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(Outbox(tmp_path / "none"), capsys)["ready"]["queries"] == 0
    assert not (tmp_path / "none").exists()


def test_what_waits_is_sent(outbox: Outbox, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "ship", "--path", outbox.path]) == 0
    assert "3 queries accepted, 0 refused, 0 left" in capsys.readouterr().out
    assert [record["queryId"] for record in sandbox.records()] == ["q-0", "q-1", "q-2"]
    assert listed(outbox, capsys)["ready"]["queries"] == 0


def test_what_cannot_be_sent_is_left_and_reported(
    outbox: Outbox, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    """The exit code is for scripts, the sentence is for people, the token for neither."""
    sandbox.faults.set(Fault(status=401))
    assert main(["outbox", "ship", "--path", outbox.path]) == 1
    printed = capsys.readouterr().out
    assert "0 queries accepted, 0 refused, 3 left" in printed
    assert "refused the ingest token (401)" in printed
    assert token not in printed


def test_an_open_circuit_breaker_is_ignored_only_by_force(
    outbox: Outbox, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.faults.set(Fault(status=401, times=1))
    assert main(["outbox", "ship", "--path", outbox.path]) == 1
    assert main(["outbox", "ship", "--path", outbox.path]) == 1
    assert len(sandbox.requests) == 1
    assert main(["outbox", "list", "--path", outbox.path]) == 0
    assert "The circuit breaker is open for" in capsys.readouterr().out
    assert main(["outbox", "ship", "--path", outbox.path, "--force"]) == 0
    assert len(sandbox.records()) == 3


def test_a_missing_connection_is_one_sentence(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "ship", "--path", outbox.path, "--conn-id", "nowhere"]) == 1
    assert capsys.readouterr().err.endswith(
        "error: There is no connection 'nowhere'. Add it, with type ryft and the ingest token as its password.\n"
    )


def test_watching_ends_at_a_signal(outbox: Outbox, sandbox: Sandbox, connection: str) -> None:
    """A sidecar's container is ended with SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_ryft", "outbox", "ship", "--watch", "--path", outbox.path],
        env={**os.environ, "AIRFLOW_CONN_RYFT_DEFAULT": connection},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert "3 queries accepted" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    assert len(sandbox.records()) == 3


@pytest.fixture
def buried(connection: str, outbox: Outbox, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.faults.set(Fault(refuse="^q-1$"))
    assert main(["outbox", "ship", "--path", outbox.path]) == 0
    sandbox.faults.set()
    capsys.readouterr()


@pytest.mark.usefixtures("buried")
def test_what_was_refused_is_shown_with_the_server_s_message(
    outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "dead", "--path", outbox.path, "--output", "json"]) == 0
    letter = json.loads(capsys.readouterr().out)
    assert letter["query"]["queryId"] == "q-1"
    assert letter["status"] == 400
    assert "told to refuse" in letter["message"]
    assert main(["outbox", "dead", "--path", outbox.path]) == 0
    table = capsys.readouterr().out
    assert "q-1" in table
    assert "SELECT '[/b] :duck: 1'" in table, "a statement is not read as markup"


@pytest.mark.usefixtures("buried")
def test_what_was_refused_can_be_sent_again(
    outbox: Outbox, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "retry-dead", "--path", outbox.path]) == 0
    assert main(["outbox", "ship", "--path", outbox.path]) == 0
    assert {record["queryId"] for record in sandbox.records()} == {"q-0", "q-1", "q-2"}
    assert listed_dead(outbox, capsys) == 0


@pytest.mark.usefixtures("buried")
def test_what_was_refused_is_deleted_only_with_a_yes(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "purge", "dead", "--path", outbox.path]) == 1
    assert "Nothing was thrown away" in capsys.readouterr().err
    assert listed_dead(outbox, capsys) == 1
    assert main(["outbox", "purge", "dead", "--path", outbox.path, "--yes"]) == 0
    assert listed_dead(outbox, capsys) == 0


def listed_dead(outbox: Outbox, capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    return listed(outbox, capsys)["dead"]["queries"]
