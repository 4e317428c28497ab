"""What is ready is sent, the oldest first, in as few requests as the limits allow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import ship_outbox
from support.outboxes import PLACES, line, on_disk
from support.shipments import OVERLOADED, Connect, leave, received

TESTS = Path(__file__).parents[1]


def test_the_oldest_go_first_and_several_segments_in_one_request(
    outbox: Outbox, sandbox: Sandbox, connect: Connect
) -> None:
    for number in range(10):
        leave(outbox, f"{number}-a", f"{number}-b")
    shipped = ship_outbox(outbox, connect, deadline=5)
    assert (shipped.accepted, shipped.requests, shipped.problem) == (20, 1, "")
    assert shipped.bytes == sandbox.requests[0].length
    assert received(sandbox) == [f"{number}-{letter}" for number in range(10) for letter in "ab"]
    assert on_disk(outbox.path) == {place: [] for place in PLACES}
    assert outbox.stats().state.counters == {"accepted": 20}


def test_every_byte_is_sent_as_it_was_written(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    text = "SELECT 'ü🦆', '\r\n\t\x00', \"x\\y\" -- \u2028"
    leave(outbox, "a", text=text)
    ship_outbox(outbox, connect, deadline=5)
    assert sandbox.records()[0]["query"] == text
    assert sandbox.requests[0].length == len(line("a", text=text)) + 2


def test_segments_that_do_not_fit_into_a_request_take_several(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    for number in range(4):
        leave(outbox, *(f"{number}-{letter}" for letter in "abc"))
    shipped = ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=7), deadline=5)
    assert (shipped.accepted, shipped.requests) == (12, 2)
    leave(outbox, *(f"4-{letter}" for letter in "abcde"))
    shipped = ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=2), deadline=5)
    assert (shipped.accepted, shipped.requests) == (5, 3)


def test_more_segments_are_sent_than_may_be_open(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    for number in range(200):
        leave(outbox, f"q{number}")
    shipped = ship_outbox(outbox, connect, deadline=30)
    assert (shipped.accepted, shipped.requests) == (200, 4)
    assert len(set(received(sandbox))) == 200


def test_what_arrives_meanwhile_is_sent_too(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    leave(outbox, "a")

    class Late(IngestClient):
        def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
            if not received(sandbox):
                leave(outbox, "late")
            return super().push_lines(lines, deadline=deadline)

    assert ship_outbox(outbox, lambda: Late(token, base_url=sandbox.url), deadline=5).accepted == 2


def test_what_was_accepted_before_the_server_failed_is_not_sent_again(
    outbox: Outbox, sandbox: Sandbox, token: str
) -> None:
    leave(outbox, "a", "b", "c")
    sandbox.faults.set(Fault(delay=0.0, times=1), OVERLOADED)
    small = lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=2)  # noqa: E731
    shipped = ship_outbox(outbox, small, deadline=5)
    assert shipped.accepted == 2
    assert "503" in shipped.problem
    assert on_disk(outbox.path)["ready"] == [line("c")]
    sandbox.faults.set()
    assert ship_outbox(outbox, small, deadline=5, force=True).accepted == 1
    assert received(sandbox) == ["a", "b", "c"]


OUTAGE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.shipping.shipper import ship_outbox

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

outbox = Outbox(sys.argv[2])
client = IngestClient("token", base_url=sys.argv[3])
client.push_lines([])
before, started = peak(), time.monotonic()
shipped = ship_outbox(outbox, lambda: client, deadline=280)
print(shipped.accepted, shipped.requests, shipped.bytes, peak() - before, time.monotonic() - started, sep="\\n")
"""


@pytest.mark.timeout(600)
def test_a_hundred_thousand_queries_of_an_outage_are_sent_with_flat_memory(tmp_path: Path) -> None:
    """What an outage left is read segment by segment, and sent in as few requests as the limits allow."""
    outbox = Outbox(tmp_path / "outbox")
    text = "SELECT a, b, c FROM orders JOIN customers USING (customer_id) WHERE region = 'EMEA' " * 8
    template = line("NUMBER", text=text).replace(b"NUMBER", b"%06d")
    length = 0
    for task in range(400):
        journal = outbox.open_journal()
        for number in range(task * 250, task * 250 + 250):
            query = template % number
            length += len(query)
            journal.record_end(str(number), query)
        journal.close_journal()
    with Sandbox() as sandbox:
        script = [sys.executable, "-c", OUTAGE, str(TESTS), outbox.path, sandbox.url]
        finished = subprocess.run(script, capture_output=True, text=True, check=True)
        accepted, requests, size, grown, seconds = map(float, finished.stdout.split())
        assert accepted == sandbox.store.count() == 100_000
    print(f"{seconds:.1f} seconds, {requests:.0f} requests, {size / 1e6:.0f} MB, {grown:.0f} KiB more memory")
    assert requests == 200
    assert size == length + 100_000 + 200, "each query once: the lines, a comma or bracket each, and a bracket"
    assert grown < 40_000 < size / 1_024, "KiB"
    assert [os.listdir(Path(outbox.path, place)) for place in PLACES] == [[], [], [], []]
