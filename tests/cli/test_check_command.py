"""The command that says whether this machine would report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_ryft.cli.definition import main
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> Path:
    """Return the path of an outbox, where there is a connection."""
    text = json.dumps({"conn_type": "ryft", "host": sandbox.url, "password": token, "extra": {"deadline": 1}})
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", text)
    return tmp_path / "outbox"


def checked(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what each check found."""
    code = main(["check", "--path", str(path), "--output", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is (code == 0)
    return code, {check["check"]: check for check in found["checks"]}


def test_a_machine_that_would_report(path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checked(path, capsys)
    assert code == 0
    assert list(found) == [
        "plugin loaded",
        "listener on",
        "connection found",
        "address reachable, token accepted",
        "outbox writable",
        "circuit breaker closed",
        "last success",
    ]
    assert sandbox.records() == []
    assert not path.exists()


def test_the_screen_for_people_shows_no_token(path: Path, capsys: pytest.CaptureFixture[str], token: str) -> None:
    assert main(["check", "--path", str(path)]) == 0
    out = capsys.readouterr().out
    assert "plugin loaded" in out
    assert token not in out


@pytest.mark.parametrize(
    ("environment", "check", "expected"),
    [
        ({"AIRFLOW__RYFT__DISABLED": "True"}, "listener on", "unset it"),
        ({"AIRFLOW_CONN_RYFT_DEFAULT": "http://:x@h"}, "connection found", "make it one of type ryft"),
        ({"AIRFLOW__RYFT__CONN_ID": "nowhere"}, "connection found", "add it, with type ryft"),
    ],
)
def test_each_failing_line_says_what_to_do(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    check: str,
    expected: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, found = checked(path, capsys)
    assert code == 1
    assert not found[check]["ok"]
    assert expected in found[check]["detail"]


def test_a_refused_token_is_reported(path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.faults.set(Fault(status=401))
    code, found = checked(path, capsys)
    assert code == 1
    assert "refused the ingest token" in found["address reachable, token accepted"]["detail"]


def test_an_outbox_that_cannot_be_written_to_is_reported(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.mkdir()
    (path / "open").write_text("not a folder")
    code, found = checked(path, capsys)
    assert code == 1
    assert "outbox_path" in found["outbox writable"]["detail"]


def test_an_open_circuit_breaker_is_shown_with_its_reason(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outbox = Outbox(path)
    assert outbox.try_writing() == ""
    outbox.state.record_misconfiguration("the token has expired")
    code, found = checked(path, capsys)
    assert code == 1
    assert "the token has expired" in found["circuit breaker closed"]["detail"]
    assert "minute" in found["circuit breaker closed"]["detail"]


def test_the_last_success_is_shown_as_an_age(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outbox = Outbox(path)
    outbox.try_writing()
    outbox.state.record_success(accepted=1)
    _, found = checked(path, capsys)
    assert found["last success"]["detail"].endswith("ago")
