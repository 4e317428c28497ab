"""Real processes, really killed: what was acknowledged arrives, what was running arrives as failed, and no more."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import ship_outbox
from support.outboxes import PLACES, ids_on_disk, line, on_disk

TESTS = Path(__file__).parents[1]

# Prints what it is about to do and what was acknowledged, in short lines that a pipe takes whole.
TASK = """
import os, sys
sys.path.insert(0, {tests!r})
from support.outboxes import line
from airflow_provider_ryft.outbox.outbox import Outbox
{more}
def say(word, one=""):
    os.write(1, f"{{word}} {{one}}\\n".encode())

def statements(journal, count, name=os.getpid()):
    for number in range(count):
        one = f"{{name}}-{{number}}"
        say("begins", one)
        journal.record_start(one, line(one, interrupted=True))
        say("began", one)
        say("ends", one)
        journal.record_end(one, line(one))
        say("ended", one)

outbox = Outbox({path!r})
say("ready")
"""

APPENDS = TASK + "journal = outbox.open_journal()\nwhile True: statements(journal, 1_000_000)\n"
SEALS = TASK + "turn = 0\nwhile True:\n    turn += 1; journal = outbox.open_journal()\n    "
SEALS += "statements(journal, 3, f'{{os.getpid()}}-{{turn}}'); journal.close_journal()\n"
SENDS = TASK + "turn = 0\nwhile True:\n    turn += 1; journal = outbox.open_journal()\n    "
SENDS += "statements(journal, 3, f'{{os.getpid()}}-{{turn}}'); flush_journal(outbox, journal, connect, deadline=4)\n"
CLIENT = """
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
def connect():
    return IngestClient(os.environ['TOKEN_OF_TESTS'], base_url={url!r})
"""


class Child:
    """A process that runs a script until it is killed, and what it said: to a file, which never makes it wait."""

    def __init__(self, script: str, path: Path, more: str = "") -> None:
        code = script.format(tests=str(TESTS), path=str(path), more=more)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as this does
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=self._output)
        while not self.said() and self.process.poll() is None:
            time.sleep(0.005)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def said(self) -> list[tuple[str, str]]:
        output = os.pread(self._output.fileno(), os.fstat(self._output.fileno()).st_size, 0).decode()
        return [(word, one) for word, _, one in (text.partition(" ") for text in output.splitlines())]

    def those(self, word: str) -> set[str]:
        return {one for found, one in self.said() if found == word}


@pytest.fixture
def connect(sandbox: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], IngestClient]:
    monkeypatch.setenv("TOKEN_OF_TESTS", token)  # every user can read a command line
    return lambda: IngestClient(token, base_url=sandbox.url)


def killed(children: list[Child], within: float = 0.06) -> Iterator[Child]:
    """Kill each child at a moment of its own."""
    chance = random.Random(20260310)
    for child in children:
        time.sleep(chance.uniform(0.0, within))
        child.kill()
        yield child


def check(children: list[Child], sandbox: Sandbox, *, once: bool) -> None:
    """Compare what arrived with what the children said."""
    arrived = Counter(record["queryId"] for record in sandbox.records())
    failed = {record["queryId"] for record in sandbox.records() if record["queryState"] == "FAILED"}
    begins = set().union(*(child.those("begins") for child in children))
    assert set(arrived) <= begins, "invented"
    for child in children:
        began, ends, ended = child.those("began"), child.those("ends"), child.those("ended")
        assert began <= set(arrived), "lost"
        assert not failed & ended, "ended, and reported as interrupted"
        assert began - ends <= failed, "interrupted, and reported as something else"
    if once:
        assert set(arrived.values()) == {1}


def test_a_process_that_is_killed_while_it_appends(
    tmp_path: Path, sandbox: Sandbox, connect: Callable[[], IngestClient]
) -> None:
    """SIGKILL takes nothing that was acknowledged; the running statement is reported as failed."""
    children = []
    for _ in range(3):
        started = [Child(APPENDS, tmp_path / "outbox") for _ in range(4)]
        children += killed(started)
    assert sum(len(child.those("ended")) for child in children) > 100
    shipped = ship_outbox(Outbox(tmp_path / "outbox"), connect, deadline=200)
    assert shipped.problem == ""
    check(children, sandbox, once=True)
    assert not ids_on_disk(tmp_path / "outbox")


def test_a_process_that_is_killed_while_it_seals(
    tmp_path: Path, sandbox: Sandbox, connect: Callable[[], IngestClient]
) -> None:
    """Sealing moves queries atomically: they are never in two files, and never in none."""
    children = []
    for _ in range(5):
        started = [Child(SEALS, tmp_path / "outbox") for _ in range(4)]
        children += killed(started)
    assert sum(len(child.those("ended")) for child in children) > 100
    shipped = ship_outbox(Outbox(tmp_path / "outbox"), connect, deadline=200)
    assert shipped.problem == ""
    check(children, sandbox, once=True)
    assert not ids_on_disk(tmp_path / "outbox")


def test_a_process_that_is_killed_while_it_posts(
    tmp_path: Path, sandbox: Sandbox, connect: Callable[[], IngestClient]
) -> None:
    """What was posted and not recorded is posted again, with the same ids; nothing else happens twice."""
    more = CLIENT.format(url=sandbox.url)
    sandbox.faults.set(Fault(reset="stored", probability=0.2), Fault(delay=0.02, probability=0.3))
    children = []
    for _ in range(3):
        started = [Child(SENDS, tmp_path / "outbox", more) for _ in range(3)]
        children += killed(started, within=0.3)
    sandbox.faults.set()
    assert sum(len(child.those("ended")) for child in children) > 20
    shipped = ship_outbox(Outbox(tmp_path / "outbox"), connect, deadline=60, force=True)
    assert shipped.problem == ""
    check(children, sandbox, once=False)
    assert not ids_on_disk(tmp_path / "outbox")


def test_a_sender_that_is_killed_in_the_middle_of_its_request(
    tmp_path: Path, sandbox: Sandbox, connect: Callable[[], IngestClient]
) -> None:
    """What a dead sender had claimed is sent by the next one."""
    outbox = Outbox(tmp_path / "outbox")
    for number in range(3):
        journal = outbox.open_journal()
        journal.record_end(f"q{number}", line(f"q{number}"))
        journal.close_journal()
    sandbox.faults.set(Fault(hang=True))
    child = Child(TASK + "ship_outbox(outbox, connect, deadline=200)", outbox.path, CLIENT.format(url=sandbox.url))
    while not sandbox.requests:  # until then, a fault that is taken back would not be the request's
        time.sleep(0.01)
    assert ship_outbox(outbox, connect, deadline=5).requests == 0, "a living sender's claims are its own"
    child.kill()
    sandbox.faults.set()
    assert ship_outbox(outbox, connect, deadline=200).accepted == 3
    assert sorted(record["queryId"] for record in sandbox.records()) == ["q0", "q1", "q2"]
    assert on_disk(outbox.path) == {place: [] for place in PLACES}


FARM = (
    TASK
    + """
from airflow_provider_ryft.ingest import push
from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy
from tenacity import wait_random
push._jitter = wait_random(0, 0.02)
outbox = Outbox({path!r}, breaker_policy=BreakerPolicy(first_pause=0.01, max_pause=0.1, probe_timeout=1.0))
"""
)
WRITER = FARM + "journal = outbox.open_journal()\nfor turn in range(20):\n    "
WRITER += "statements(journal, 50, f'{{os.getpid()}}-{{turn}}'); flush_journal(outbox, journal, connect, deadline=2)\n"
SENDER = FARM + "import time\nwhile True: ship_outbox(outbox, connect, deadline=2); time.sleep(0.01)\n"


def test_sixteen_tasks_and_two_senders_while_the_server_fails_half_of_the_time(
    tmp_path: Path, sandbox: Sandbox, connect: Callable[[], IngestClient]
) -> None:
    """Sixteen processes with a thousand statements each: sixteen thousand ids at the server, and an empty outbox."""
    more = CLIENT.format(url=sandbox.url)
    sandbox.faults.set(Fault(status=503, probability=0.25), Fault(reset="before", probability=0.33))
    senders = [Child(SENDER, tmp_path / "outbox", more) for _ in range(2)]
    writers = [Child(WRITER, tmp_path / "outbox", more) for _ in range(16)]
    assert [writer.process.wait() for writer in writers] == [0] * 16
    for sender in senders:
        sender.kill()
    sandbox.faults.set()
    ended = set().union(*(writer.those("ended") for writer in writers))
    shipped = ship_outbox(Outbox(tmp_path / "outbox"), connect, deadline=60, force=True)
    assert shipped.problem == ""
    arrived = Counter(record["queryId"] for record in sandbox.records())
    assert set(arrived) == ended
    assert len(arrived) == 16_000
    assert not ids_on_disk(tmp_path / "outbox")
    assert [os.listdir(tmp_path / "outbox" / place) for place in PLACES] == [[], [], [], []]
    print(f"{sandbox.statuses()} and {arrived.total() - 16_000} delivered twice")
