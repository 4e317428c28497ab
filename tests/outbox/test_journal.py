"""What a task's process writes down."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import ClassVar

from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.journal import MAX_BYTES, MAX_QUERIES, CloseResult
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.outbox.records import replay
from support.outboxes import PLACES, files, ids, ids_on_disk, line, on_disk, pending, python, write


def test_touches_nothing_before_the_first_statement(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    assert journal.pending_queries() == {}
    assert journal.close_journal() == CloseResult()
    assert not os.path.exists(outbox.path)


def test_leaves_no_file_when_everything_was_delivered(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    write(journal, "a", "b")
    journal.mark_settled(journal.pending_queries())
    assert journal.close_journal() == CloseResult()
    assert [files(outbox, place) for place in PLACES] == [[], [], [], []]


def test_is_lines_of_json_with_the_query_byte_by_byte(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    query = line("a", text="SELECT 'ü', '\n', '🦆', '\\u2028'")
    journal.record_start("a", line("a", interrupted=True))
    journal.record_end("a", query)
    first, second = files(outbox, "open")[0].read_bytes().splitlines()
    assert json.loads(first)[0] == "begin"
    assert json.loads(second)[0] == "end"
    assert query in second
    assert pending(journal) == [query]


def test_reports_what_ended_and_not_what_runs(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    write(journal, "a")
    journal.record_start("b", line("b", interrupted=True))
    assert ids(pending(journal)) == ["a"]


def test_reports_a_running_statement_as_interrupted_when_it_is_closed(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    journal.record_start("a", line("a", interrupted=True))
    assert journal.close_journal().kept == 1
    assert on_disk(outbox.path)["ready"] == [line("a", interrupted=True)]


def test_takes_the_end_of_a_statement_whose_beginning_it_did_not_see(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    journal.record_end("a", line("a"))
    journal.record_end("b", None)
    assert ids(pending(journal)) == ["a"]


def test_drops_a_statement_that_is_not_to_be_reported_after_all(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    journal.record_start("a", line("a", interrupted=True))
    journal.record_end("a", None)
    assert not ids_on_disk(outbox.path)
    assert journal.close_journal() == CloseResult()


def test_a_statement_that_begins_twice_is_one(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    journal.record_start("a", line("a", interrupted=True))
    journal.record_start("a", line("a", text="better known", interrupted=True))
    assert on_disk(outbox.path)["open"] == [line("a", text="better known", interrupted=True)]
    journal.record_end("a", line("a"))
    assert on_disk(outbox.path)["open"] == [line("a")]


def test_can_be_used_again_after_it_was_closed(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    write(journal, "a")
    journal.close_journal()
    write(journal, "b")
    assert ids(pending(journal)) == ["b"]
    assert journal.close_journal().kept == 1
    assert ids_on_disk(outbox.path, "ready") == {"a": 1, "b": 1}


def test_a_sender_that_is_late_does_not_settle_what_came_after(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    write(journal, "a")
    late = journal.pending_queries()
    journal.close_journal()
    write(journal, "b")
    journal.mark_settled(late)
    assert ids(pending(journal)) == ["b"]


def test_seals_what_is_enough_for_a_request_and_keeps_memory_small(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    journal.record_start("slow", line("slow", interrupted=True))
    for number in range(2 * MAX_QUERIES + 1):
        write(journal, f"q{number}")
        assert len(pending(journal)) < MAX_QUERIES
    assert [name.queries for name in outbox.ready_segments()] == [MAX_QUERIES, MAX_QUERIES]
    assert ids_on_disk(outbox.path, "open") == {f"q{2 * MAX_QUERIES}": 1, "slow": 1}
    assert set(ids_on_disk(outbox.path).values()) == {1}, "what runs is in the newest file only"
    journal.record_end("slow", line("slow"))
    assert journal.close_journal().kept == 2 * MAX_QUERIES + 2


def test_seals_before_a_request_would_be_too_long(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    long = "x" * (MAX_BYTES // 3)
    for number in range(4):
        journal.record_end(f"q{number}", line(f"q{number}", text=long))
    journal.record_end("huge", line("huge", text=long * 5))
    journal.record_end("last", line("last"))
    journal.close_journal()
    sealed = [replay(file.read_bytes()).lines.values() for file in files(outbox, "ready")]
    assert [ids(lines) for lines in sealed] == [["q0", "q1"], ["q2", "q3"], ["huge"], ["last"]]


def test_statements_that_are_not_reported_do_not_fill_the_disk(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    for number in range(30):
        journal.record_start(f"q{number}", line(f"q{number}", text="x" * 500_000, interrupted=True))
        journal.record_end(f"q{number}", None)
    assert sum(file.stat().st_size for file in files(outbox, "open")) < 6 << 20
    assert files(outbox, "ready") == []


def test_waits_for_the_disk_only_when_it_is_closed(tmp_path: Path) -> None:
    """A sync may take longer than the task's own statements; a power cut takes what the page cache holds."""

    class Counting(FileSystem):
        synced: ClassVar[list[str]] = []

        def sync(self, descriptor: int) -> None:
            self.synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            super().sync(descriptor)

        def sync_file(self, path: str) -> None:
            self.synced.append(path)
            super().sync_file(path)

        def sync_folder(self, path: str) -> None:
            self.synced.append(path)
            super().sync_folder(path)

    outbox = Outbox(tmp_path / "outbox", disk=Counting())
    journal = outbox.open_journal()
    write(journal, *(f"q{number}" for number in range(3 * MAX_QUERIES + 1)))
    assert Counting.synced == []
    sent, *others = files(outbox, "ready")
    assert len(others) == 2
    sent.unlink()
    assert journal.close_journal().kept == 3 * MAX_QUERIES + 1
    assert {*map(str, others), str(tmp_path / "outbox" / "ready")} < set(Counting.synced)
    assert len(ids_on_disk(outbox.path, "ready")) == 2 * MAX_QUERIES + 1
    count = len(Counting.synced)
    journal.record_end("later", line("later"))
    journal.close_journal()
    assert not {*map(str, others)} & set(Counting.synced[count:])


def test_is_for_many_threads(outbox: Outbox) -> None:
    journal = outbox.open_journal()

    def task(thread: int) -> None:
        write(journal, *(f"{thread}-{number}" for number in range(300)))

    threads = [threading.Thread(target=task, args=[thread]) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.close_journal().kept == 2_400
    found = ids_on_disk(outbox.path, "ready")
    assert len(found) == found.total() == 2_400


def test_a_signal_in_the_middle_of_a_write_loses_nothing(tmp_path: Path) -> None:
    """A task's timeout is an exception that appears anywhere."""

    class TimeoutOfTask(BaseException):
        pass

    class Interrupting(FileSystem):
        when = -1

        def append(self, descriptor: int, data: bytes) -> None:
            self.when -= 1
            super().append(descriptor, data)
            if self.when == 0:
                raise TimeoutOfTask

    for when in range(1, 6):
        disk = Interrupting()
        outbox = Outbox(tmp_path / str(when), disk=disk)
        journal = outbox.open_journal()
        write(journal, "a")
        disk.when = when
        acknowledged = ["a"]
        for one in ("b", "c"):
            try:
                write(journal, one)
                acknowledged.append(one)
            except TimeoutOfTask:
                break
        try:
            journal.close_journal()
        except TimeoutOfTask:
            journal.close_journal()
        assert set(acknowledged) <= set(ids_on_disk(outbox.path, "ready"))
        assert max(ids_on_disk(outbox.path, "ready").values()) == 1


def test_a_forked_child_starts_with_an_empty_journal_and_keeps_its_parents_as_it_is(tmp_path: Path) -> None:
    output = python(
        """
import os
from support.outboxes import line
from airflow_provider_ryft.outbox.outbox import Outbox
outbox = Outbox(sys.argv[1])
journal = outbox.open_journal()
journal.record_start("parent", line("parent", interrupted=True))
journal._lock.acquire()  # by another thread, as the child sees it
child = os.fork()
if not child:
    assert journal.pending_queries() == {}
    journal.record_end("child", line("child"))
    assert outbox.adopt_orphans() == 0, "its parent lives"
    journal.close_journal()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert outbox.adopt_orphans() == 0, "the child did not end the parent's lock"
journal._lock.release()
journal.record_end("parent", line("parent"))
print(*(name.queries for name in outbox.ready_segments()))
journal.mark_settled(journal.pending_queries())
journal.close_journal()
""",
        str(tmp_path / "outbox"),
    )
    assert output.split() == ["1"]
    assert on_disk(tmp_path / "outbox", "ready", "open") == {"ready": [line("child")], "open": []}


def test_an_idle_child_does_not_keep_its_dead_parents_journal(tmp_path: Path) -> None:
    python(
        """
import os, signal, time
from support.outboxes import line
from airflow_provider_ryft.outbox.outbox import Outbox
outbox = Outbox(sys.argv[1])
until, end = os.pipe()
task = os.fork()
if not task:
    os.close(end)
    journal = outbox.open_journal()
    journal.record_end("a", line("a"))
    if not os.fork():
        os.read(until, 1)  # does nothing until the test is over
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(task, 0)
ends = time.monotonic() + 60  # the idle one closes what it inherited, sooner or later
while not outbox.adopt_orphans() and time.monotonic() < ends:
    time.sleep(0.01)
assert [name.queries for name in outbox.ready_segments()] == [1]
""",
        str(tmp_path / "outbox"),
    )
