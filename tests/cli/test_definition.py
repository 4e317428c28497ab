"""The command line as a person or a script meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_ryft import __version__
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query

QUERY = Query(query_id="q-1", query="SELECT 1", query_state="FINISHED", timestamp="2026-03-10T12:00:00Z", duration_ms=1)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow_provider_ryft", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments), env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run some Python to its end."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


class Running:
    """A sandbox in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.greeting = process.stdout.readline() + process.stdout.readline()
        self.url = re.findall(r"http://127\.0\.0\.1:\d+", self.greeting)[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """End it with a signal; return its exit code and what it said since its greeting."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@contextmanager
def sandbox(*arguments: str, **environment: str) -> Iterator[Running]:
    with subprocess.Popen(
        command("sandbox", "--port", "0", *arguments),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def test_sandbox_prints_what_it_answered(token: str) -> None:
    with sandbox("--token", token) as running:
        with IngestClient(token, base_url=running.url) as client:
            assert client.push([QUERY, QUERY]).accepted == 2
            assert client.push([QUERY]).accepted == 1
        assert requests.get(f"{running.url}/queries", timeout=60).json() == [QUERY.to_payload()] * 3
        code, out, err = running.stop()
    length = len(QUERY.encode())
    assert (code, out) == (0, "")
    assert err.splitlines() == [f"2 queries, {2 * length + 3} bytes: 200", f"1 query, {length + 2} bytes: 200"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_ends_with_0_at_a_signal(number: signal.Signals) -> None:
    with sandbox() as running:
        assert running.stop(number) == (0, "", "")


def test_sandbox_ends_at_a_signal_while_a_request_waits() -> None:
    def push() -> None:
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{running.url}/ingest/push/queries", json=[], timeout=250)
        ended.set()

    ended = threading.Event()
    with sandbox("--fault", '{"hang": true}') as running:
        threading.Thread(target=push, daemon=True).start()
        assert running.process.stderr is not None
        assert running.process.stderr.readline() == "0 queries, 2 bytes: no answer\n"
        assert running.stop() == (0, "", "")
    assert ended.wait(200)


def test_sandbox_says_how_airflow_finds_it(token: str) -> None:
    with sandbox("--token", token) as running:
        (line,) = re.findall(r"^  export AIRFLOW_CONN_RYFT_DEFAULT='(.*)'$", running.greeting, re.MULTILINE)
    assert json.loads(line) == {"conn_type": "ryft", "host": running.url, "password": "the token that you gave"}


def test_sandbox_says_that_any_token_is_accepted() -> None:
    with sandbox() as running:
        assert '"password": "any"' in running.greeting
        with IngestClient("whatever", base_url=running.url) as client:
            assert client.push([QUERY]).accepted == 1


def test_sandbox_never_shows_the_token(token: str) -> None:
    with sandbox("--token", token) as running:
        for given in (token, "wrong"):
            headers = {"X-Ryft-Token": given, "Content-Type": "application/json"}
            requests.post(f"{running.url}/ingest/push/queries", data="[", headers=headers, timeout=60)
        code, out, err = running.stop()
    assert code == 0
    assert len(err.splitlines()) == 2
    assert token not in running.greeting + out + err


def test_sandbox_takes_the_token_from_the_environment(token: str) -> None:
    with sandbox(RYFT_SANDBOX_TOKEN=token) as running:
        answers = [
            requests.post(f"{running.url}/ingest/push/queries", json=[], headers={"X-Ryft-Token": given}, timeout=60)
            for given in ("wrong", token)
        ]
    assert [answer.status_code for answer in answers] == [401, 200]
    assert token not in running.greeting + run("sandbox", "--help", RYFT_SANDBOX_TOKEN=token).stdout


def test_sandbox_treats_an_empty_variable_as_none() -> None:
    with sandbox(RYFT_SANDBOX_TOKEN="") as running:
        assert '"password": "any"' in running.greeting


def test_sandbox_keeps_what_it_accepted_in_its_file(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    with sandbox("--db", path) as running:
        with IngestClient("any", base_url=running.url) as client:
            client.push([QUERY])
        assert running.stop()[0] == 0
    with sandbox("--db", path) as running:
        assert requests.get(f"{running.url}/queries", timeout=60).json() == [QUERY.to_payload()]


def test_sandbox_keeps_what_it_accepted_also_when_it_is_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    with sandbox("--db", path) as running:
        with IngestClient("any", base_url=running.url) as client:
            client.push([QUERY])
        running.stop(signal.SIGKILL)
    with sandbox("--db", path) as running:
        assert requests.get(f"{running.url}/queries", timeout=60).json() == [QUERY.to_payload()]


def test_sandbox_misbehaves_as_its_faults_say() -> None:
    faults: list[dict[str, Any]] = [{"status": 503, "retry_after": "2", "times": 1}, {"refuse": "poison"}]
    arguments = [word for fault in faults for word in ("--fault", json.dumps(fault))]
    with sandbox(*arguments) as running:
        assert requests.get(f"{running.url}/faults", timeout=60).json() == faults
        answer = requests.post(f"{running.url}/ingest/push/queries", json=[], timeout=60)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_port_that_is_taken() -> None:
    with sandbox() as running:
        port = running.url.rpartition(":")[2]
        done = run("sandbox", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: Port {port} can't be used: Address already in use. Choose another one, or 0 for any that is free.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], r"error: Port 70000 can't be used: it must be from 0 to 65535\. Choose .*"),
        (["--db", "/missing/sandbox.db"], r"error: The SQLite file '/missing/sandbox.db' can't be used: .*"),
        (["--token", ""], r"error: The token is empty\. .*"),
    ],
)
def test_what_cannot_be_used(arguments: list[str], sentence: str) -> None:
    done = run("sandbox", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(sentence + "\n", done.stderr)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("status=503", "error: --fault: 'status=503' is not JSON: Expecting value: line 1 column 1 (char 0)\n"),
        ('{"stauts": 503}', "error: --fault: A fault has no 'stauts'; allowed: status, "),
        ('{"status": "503"}', "error: --fault: status: must be a whole number, not '503'\n"),
        ('{"refuse": "("}', "error: --fault: refuse: '(' is not a regular expression: "),
        ("503", "error: --fault: A fault must be a JSON object, not 503\n"),
    ],
)
def test_a_bad_fault(fault: str, sentence: str) -> None:
    done = run("sandbox", "--port", "0", "--fault", '{"status": 500}', "--fault", fault)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["sandbx"], ["sandbox", "--prot", "0"], ["sandbox", "--port", "any"]])
def test_a_misspelt_command(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m airflow_provider_ryft")
    assert "Traceback" not in done.stderr


def test_sandbox_needs_no_airflow() -> None:
    done = python(
        "import sys; sys.modules['airflow'] = None\n"
        "from airflow_provider_ryft.cli.definition import main; sys.exit(main(['sandbox', '--port', '70000']))"
    )
    assert done.stderr.startswith("error: Port 70000 can't be used: ")


def test_a_missing_jsonschema() -> None:
    done = python(
        "import sys; sys.modules['jsonschema'] = None\n"
        "from airflow_provider_ryft.cli.definition import main; sys.exit(main(['sandbox', '--port', '0']))"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: The sandbox needs jsonschema, which is not installed. "
        "Run: pip install 'airflow-provider-ryft[sandbox]'\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["sandbox", "--help"], ["--version"]])
def test_help_needs_neither_airflow_nor_requests_nor_jsonschema(arguments: list[str]) -> None:
    done = python(
        "import sys\n"
        "from airflow_provider_ryft.cli.definition import main\n"
        f"try: main({arguments})\n"
        "finally: print([n for n in ('airflow', 'requests', 'pendulum', 'jsonschema') if n in sys.modules])"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_option_of_the_sandbox() -> None:
    text = run("sandbox", "--help").stdout
    assert set(re.findall(r"--[a-z]+", text)) == {"--help", "--port", "--token", "--db", "--fault"}


def test_version_is_printed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")
