"""What the outbox keeps, for whom, how much of it, and what it does when the disk does not do its part."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings, strategies as st

from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.housekeeping import MAX_DEAD_BYTES
from airflow_provider_ryft.outbox.journal import MAX_BYTES, MAX_QUERIES, CloseResult, Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.outbox.records import BEGIN, DROP, END, SENT, record, replay
from airflow_provider_ryft.outbox.segment_name import SegmentName
from airflow_provider_ryft.results import RefusedQuery
from support.outboxes import PLACES, FailingDisk, Killed, ids, ids_on_disk, line, on_disk

TESTS = Path(__file__).parents[1]
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and give files away")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def write(journal: Journal, *query_ids: str) -> None:
    for one in query_ids:
        journal.record_start(one, line(one, interrupted=True))
        journal.record_end(one, line(one))


def leave(outbox: Outbox, *query_ids: str) -> None:
    """Let a task keep queries."""
    journal = outbox.open_journal()
    write(journal, *query_ids)
    assert journal.close_journal().kept == len(query_ids)


def files(outbox: Outbox, place: str) -> list[Path]:
    return sorted(Path(outbox.path, place).glob("*"))


def python(code: str, *args: str) -> str:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{code}", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestJournal:
    """What a task's process writes down."""

    def test_touches_nothing_before_the_first_statement(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        assert journal.pending_queries() == {}
        assert journal.close_journal() == CloseResult()
        assert not os.path.exists(outbox.path)

    def test_leaves_no_file_when_everything_was_delivered(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        write(journal, "a", "b")
        journal.mark_settled(journal.pending_queries())
        assert journal.close_journal() == CloseResult()
        assert [files(outbox, place) for place in PLACES] == [[], [], [], []]

    def test_is_lines_of_json_with_the_query_byte_by_byte(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        query = line("a", text="SELECT 'ü', '\n', '🦆', '\\u2028'")
        journal.record_start("a", line("a", interrupted=True))
        journal.record_end("a", query)
        first, second = files(outbox, "open")[0].read_bytes().splitlines()
        assert json.loads(first)[0] == "begin"
        assert json.loads(second)[0] == "end"
        assert query in second
        assert list(journal.pending_queries().values()) == [query]

    def test_reports_what_ended_and_not_what_runs(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        write(journal, "a")
        journal.record_start("b", line("b", interrupted=True))
        assert ids(list(journal.pending_queries().values())) == ["a"]

    def test_reports_a_running_statement_as_interrupted_when_it_is_closed(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        journal.record_start("a", line("a", interrupted=True))
        assert journal.close_journal().kept == 1
        assert on_disk(outbox.path)["ready"] == [line("a", interrupted=True)]

    def test_takes_the_end_of_a_statement_whose_beginning_it_did_not_see(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        journal.record_end("a", line("a"))
        journal.record_end("b", None)
        assert ids(list(journal.pending_queries().values())) == ["a"]

    def test_drops_a_statement_that_is_not_to_be_reported_after_all(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        journal.record_start("a", line("a", interrupted=True))
        journal.record_end("a", None)
        assert not ids_on_disk(outbox.path)
        assert journal.close_journal() == CloseResult()

    def test_a_statement_that_begins_twice_is_one(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        journal.record_start("a", line("a", interrupted=True))
        journal.record_start("a", line("a", text="better known", interrupted=True))
        assert on_disk(outbox.path)["open"] == [line("a", text="better known", interrupted=True)]
        journal.record_end("a", line("a"))
        assert on_disk(outbox.path)["open"] == [line("a")]

    def test_can_be_used_again_after_it_was_closed(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        write(journal, "a")
        journal.close_journal()
        write(journal, "b")
        assert ids(list(journal.pending_queries().values())) == ["b"]
        assert journal.close_journal().kept == 1
        assert ids_on_disk(outbox.path, "ready") == {"a": 1, "b": 1}

    def test_a_sender_that_is_late_does_not_settle_what_came_after(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        write(journal, "a")
        late = journal.pending_queries()
        journal.close_journal()
        write(journal, "b")
        journal.mark_settled(late)
        assert ids(list(journal.pending_queries().values())) == ["b"]

    def test_seals_what_is_enough_for_a_request_and_keeps_memory_small(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        journal.record_start("slow", line("slow", interrupted=True))
        for number in range(2 * MAX_QUERIES + 1):
            write(journal, f"q{number}")
            assert len(list(journal.pending_queries().values())) < MAX_QUERIES
        assert [name.queries for name in outbox.ready_segments()] == [MAX_QUERIES, MAX_QUERIES]
        assert ids_on_disk(outbox.path, "open") == {f"q{2 * MAX_QUERIES}": 1, "slow": 1}
        assert set(ids_on_disk(outbox.path).values()) == {1}, "what runs is in the newest file only"
        journal.record_end("slow", line("slow"))
        assert journal.close_journal().kept == 2 * MAX_QUERIES + 2

    def test_seals_before_a_request_would_be_too_long(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        long = "x" * (MAX_BYTES // 3)
        for number in range(4):
            journal.record_end(f"q{number}", line(f"q{number}", text=long))
        journal.record_end("huge", line("huge", text=long * 5))
        journal.record_end("last", line("last"))
        journal.close_journal()
        sealed = [replay(file.read_bytes()).lines.values() for file in files(outbox, "ready")]
        assert [ids(lines) for lines in sealed] == [["q0", "q1"], ["q2", "q3"], ["huge"], ["last"]]

    def test_statements_that_are_not_reported_do_not_fill_the_disk(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        for number in range(30):
            journal.record_start(f"q{number}", line(f"q{number}", text="x" * 500_000, interrupted=True))
            journal.record_end(f"q{number}", None)
        assert sum(file.stat().st_size for file in files(outbox, "open")) < 6 << 20
        assert files(outbox, "ready") == []

    def test_waits_for_the_disk_only_when_it_is_closed(self, tmp_path: Path) -> None:
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

    def test_is_for_many_threads(self, outbox: Outbox) -> None:
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

    def test_a_signal_in_the_middle_of_a_write_loses_nothing(self, tmp_path: Path) -> None:
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

    def test_a_forked_child_begins_anew_and_leaves_the_parents_alone(self, tmp_path: Path) -> None:
        told = python(
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
        assert told.split() == ["1"]
        assert on_disk(tmp_path / "outbox", "ready", "open") == {"ready": [line("child")], "open": []}

    def test_an_idle_child_does_not_keep_its_dead_parents_journal(self, tmp_path: Path) -> None:
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


class TestSegment:
    """The format of a file."""

    def test_a_torn_end_was_never_acknowledged(self) -> None:
        whole = record(BEGIN, 1, line("a", interrupted=True)) + record(END, 1, line("a"))
        for length in range(len(record(BEGIN, 1, line("a", interrupted=True))), len(whole)):
            found = replay(whole[:length])
            assert list(found.lines.values()) == [line("a", interrupted=True)]
            assert (found.interrupted, found.damaged) == (1, 0)
        assert replay(whole).lines == {1: line("a")}

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_damage_costs_what_it_hits(self, data: st.DataObject) -> None:
        """Whatever is overwritten, the other queries are there, and no query is there that was never written."""
        records = [record(END, number, line(f"q{number}")) for number in range(5)]
        whole = b"".join(records)
        start = data.draw(st.integers(0, len(whole) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=40))
        damaged = whole[:start] + junk + whole[start + len(junk) :]
        borders = [len(b"".join(records[:number])) for number in range(6)]
        hit = {number for number in range(5) if borders[number] < start + len(junk) and start < borders[number + 1]}
        found = replay(damaged)
        assert {number: line(f"q{number}") for number in range(5) if number not in hit}.items() <= found.lines.items()
        assert set(found.lines.values()) <= {line(f"q{number}") for number in range(5)}

    def test_damage_is_told_of(self) -> None:
        damaged = record(BEGIN, 1, line("a", interrupted=True)) + record(END, 1, line("a")).replace(
            b"SELECT", b"DELETE"
        )
        found = replay(damaged)
        assert found.lines == {}, "it did end, so it was not interrupted"
        assert found.damaged == 1

    @pytest.mark.parametrize("kind", [DROP, SENT])
    def test_what_is_settled_is_not_reported(self, kind: bytes) -> None:
        begun = record(BEGIN, 1, line("a", interrupted=True))
        assert replay(begun + record(kind, 1)).lines == {}
        assert replay(begun + record(END, 1, line("a")) + record(kind, 1)).lines == {}

    def test_a_newline_in_a_query_does_not_tear_it(self) -> None:
        found = replay(record(END, 1, b'{"queryId":\n"a"}'))
        assert json.loads(found.lines[1]) == {"queryId": "a"}

    def test_names_sort_by_age_and_tell_what_is_inside(self) -> None:
        name = SegmentName.new().holding(12, 345)
        assert SegmentName.parse(str(name)) == name
        assert str(name) < str(SegmentName.new())
        assert SegmentName.parse(".nfs000001") is None


class TestFolder:
    """Whose it is, and who can look into it."""

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
    def test_is_private_whatever_the_umask(self, outbox: Outbox, umask: int) -> None:
        before = os.umask(umask)
        try:
            leave(outbox, "a")
            outbox.add_dead_letters([RefusedQuery(line("b"), 400, "no")])
            outbox.state.add_counts(accepted=1)
            outbox.open_journal().record_end("c", line("c"))
        finally:
            os.umask(before)
        for folder, folders, names in os.walk(outbox.path):
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
            for name in names:
                assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600
            assert folders or names or folder.endswith(("open", "claimed"))

    def test_closes_what_somebody_opened(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        os.chmod(os.path.join(outbox.path, "ready"), 0o755)
        leave(Outbox(outbox.path), "b")
        assert stat.S_IMODE(os.stat(os.path.join(outbox.path, "ready")).st_mode) == 0o700

    @NEEDS_ROOT
    @pytest.mark.parametrize("through_a_link", [False, True])
    def test_of_another_user_is_not_used(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, through_a_link: bool
    ) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir(0o777)
        os.chown(theirs, 12345, 12345)
        if through_a_link:
            (tmp_path / "link").symlink_to(theirs)
        outbox = Outbox(tmp_path / "link" if through_a_link else theirs)
        journal = outbox.open_journal()
        write(journal, "a")
        assert ids(list(journal.pending_queries().values())) == ["a"], "it is in memory"
        assert list(theirs.iterdir()) == []
        assert outbox.ready_segments() == []
        assert outbox.evict() == outbox.adopt_orphans() == 0
        assert caplog.text.count("12345") == 1
        assert "outbox_path" in caplog.text

    def test_may_be_reached_through_a_link_to_our_own(self, tmp_path: Path) -> None:
        (tmp_path / "ours").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "ours")
        leave(Outbox(tmp_path / "link"), "a")
        assert ids_on_disk(tmp_path / "ours", "ready") == {"a": 1}

    def test_a_link_in_place_of_a_folder_is_not_followed(self, outbox: Outbox, tmp_path: Path) -> None:
        leave(outbox, "a")
        os.rmdir(os.path.join(outbox.path, "dead"))
        (tmp_path / "elsewhere").mkdir()
        os.symlink(tmp_path / "elsewhere", os.path.join(outbox.path, "dead"))
        assert Outbox(outbox.path).add_dead_letters([RefusedQuery(line("b"), 400, "no")]) is False
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_nothing_of_requests_is_imported_for_it(self) -> None:
        told = python(
            """
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
print(*sorted({"requests", "urllib3", "airflow", "tenacity", "pendulum"} & set(sys.modules)))
"""
        )
        assert told.strip() == ""


class TestOrphans:
    """What dead processes leave behind."""

    def test_of_a_living_process_are_none(self, outbox: Outbox) -> None:
        journal = outbox.open_journal()
        write(journal, "a")
        assert outbox.adopt_orphans() == 0
        assert ids_on_disk(outbox.path, "open") == {"a": 1}

    def test_are_made_ready(self, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
        disk = FailingDisk()
        journal = Outbox(outbox.path, disk=disk).open_journal()
        write(journal, "a", "b")
        journal.record_start("c", line("c", interrupted=True))
        disk.kill()
        assert outbox.adopt_orphans() == 3
        assert on_disk(outbox.path)["ready"] == [line("a"), line("b"), line("c", interrupted=True)]
        assert [name.queries for name in outbox.ready_segments()] == [3]
        assert "1 statements of process" in caplog.text
        assert outbox.adopt_orphans() == 0

    def test_without_queries_are_removed(self, outbox: Outbox) -> None:
        disk = FailingDisk()
        journal = Outbox(outbox.path, disk=disk).open_journal()
        journal.record_start("a", line("a", interrupted=True))
        journal.record_end("a", None)
        disk.kill()
        assert outbox.adopt_orphans() == 0
        assert files(outbox, "open") == files(outbox, "ready") == []

    def test_half_written_dead_letters_are_removed(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        disk = FailingDisk()
        dying = Outbox(outbox.path, disk=disk)
        dying.ready_segments()
        disk.steps_left = 1
        with pytest.raises(Killed):
            dying.add_dead_letters([RefusedQuery(line("b"), 400, "no")])
        assert len(files(outbox, "dead")) == 1
        outbox.adopt_orphans()
        assert files(outbox, "dead") == []

    def test_of_another_machine_are_taken_only_when_they_are_old(
        self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A shared file system that is mounted without locks must not make the living look dead."""
        disk = FailingDisk()
        with monkeypatch.context() as there:
            there.setattr("airflow_provider_ryft.outbox.segment_name.this_host", lambda: "elsewhere")
            write(Outbox(outbox.path, disk=disk).open_journal(), "a")
        disk.kill()
        assert outbox.adopt_orphans() == 0
        (left,) = files(outbox, "open")
        assert "elsewhere" in left.name
        os.utime(left, (0, time.time() - 4_000))
        assert outbox.adopt_orphans() == 1


class TestCaps:
    """The oldest goes first, and is counted."""

    def test_number_of_segments(self, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
        outbox.max_segments = 2
        for number in range(4):
            leave(outbox, f"{number}-a", f"{number}-b")
        assert ids_on_disk(outbox.path, "ready") == dict.fromkeys(["2-a", "2-b", "3-a", "3-b"], 1)
        assert outbox.stats().state.counters == {"evicted_for_number": 4}
        assert caplog.text.count("2 evicted for number") == 2

    def test_bytes(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        outbox.max_bytes = 2 * outbox.ready_segments()[0].size
        leave(outbox, "b")
        leave(outbox, "c")
        assert ids_on_disk(outbox.path, "ready") == {"b": 1, "c": 1}
        outbox.max_bytes = 1
        assert outbox.evict() == 2
        assert outbox.stats().state.counters == {"evicted_for_bytes": 3}

    def test_age(self, tmp_path: Path) -> None:
        later = 0.0
        outbox = Outbox(tmp_path / "outbox", clock=lambda: time.time() + later)
        leave(outbox, "a")
        later = outbox.max_age - 100
        assert outbox.evict() == 0
        later += 200
        assert outbox.evict() == 1
        assert outbox.stats().state.counters == {"evicted_for_age": 1}

    def test_a_clock_that_went_back_evicts_nothing(self, tmp_path: Path) -> None:
        outbox = Outbox(tmp_path / "outbox", clock=lambda: 0.0)
        leave(outbox, "a")
        assert outbox.evict() == 0
        assert outbox.stats().ready.age == 0

    def test_dead_letters_have_caps_of_their_own(self, tmp_path: Path) -> None:
        later = 0.0
        outbox = Outbox(tmp_path / "outbox", clock=lambda: time.time() + later)
        text = "x" * (MAX_DEAD_BYTES // 2)
        for number in range(3):
            outbox.add_dead_letters([RefusedQuery(line(f"q{number}", text=text), 400, "no")])
        assert outbox.evict() == 2
        assert ids_on_disk(outbox.path, "dead") == {"q2": 1}
        later = 31 * 86400.0
        assert outbox.evict() == 1
        counters = outbox.stats().state.counters
        assert counters == {"refused": 3, "evicted_for_bytes_of_dead": 2, "evicted_for_age_of_dead": 1}

    def test_what_is_not_ours_is_left_alone(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        note = Path(outbox.path, "ready", "README.txt")
        note.write_text("hands off")
        outbox.max_segments = 0
        assert outbox.evict() == 1
        assert note.exists()


class TestFaultsOfTheDisk:
    """No exception, one warning, and the lines are still there to be delivered."""

    @pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT])
    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_queries_stay_in_memory(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: int, after: int
    ) -> None:
        disk = FailingDisk()
        outbox = Outbox(tmp_path / "outbox", disk=disk)
        journal = outbox.open_journal()
        for number in range(4):
            disk.refuses_with = reason if number >= after else None
            write(journal, f"q{number}")
        assert ids(list(journal.pending_queries().values())) == ["q0", "q1", "q2", "q3"]
        journal.mark_settled(journal.pending_queries())
        assert journal.close_journal() == CloseResult()
        assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
        assert os.strerror(reason) in outbox.disk_problem
        assert outbox.path in outbox.disk_problem

    @pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
    def test_a_disk_that_recovers_takes_everything(self, tmp_path: Path, reason: int) -> None:
        disk = FailingDisk()
        outbox = Outbox(tmp_path / "outbox", disk=disk)
        journal = outbox.open_journal()
        write(journal, "a")
        journal.record_start("slow", line("slow", interrupted=True))
        disk.refuses_with = reason
        write(journal, "b")
        journal.record_end("slow", line("slow"))
        disk.refuses_with = None
        write(journal, "c")
        assert journal.close_journal().kept == 4
        assert on_disk(outbox.path)["ready"] == [line(one) for one in ("a", "slow", "b", "c")]
        assert files(outbox, "open") == []

    def test_a_disk_that_stays_full_keeps_what_it_has_and_the_rest_is_counted(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk = FailingDisk()
        outbox = Outbox(tmp_path / "outbox", disk=disk)
        journal = outbox.open_journal()
        write(journal, "a")
        disk.refuses_with = errno.ENOSPC
        write(journal, "b", "c")
        closed = journal.close_journal()
        assert (closed.kept, closed.lost) == (1, 2)
        assert "2 queries are lost" in caplog.text
        disk.kill()
        Outbox(outbox.path).adopt_orphans()
        assert on_disk(outbox.path)["ready"] == [line("a")]

    def test_memory_has_a_bound_too(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        disk = FailingDisk()
        disk.refuses_with = errno.EROFS
        journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
        for number in range(40):
            journal.record_end(f"q{number}", line(f"q{number}", text="x" * (1 << 20)))
            assert sum(map(len, list(journal.pending_queries().values()))) < 34 << 20
        assert ids(list(journal.pending_queries().values()))[-1] == "q39"
        assert journal.close_journal().lost == 40
        assert "Read-only file system" in caplog.text
        assert len(caplog.records) == 3, "the disk, those that there was no room for, and those at the end"

    def test_a_disk_that_refuses_is_not_asked_for_each_statement(self, tmp_path: Path) -> None:
        disk = FailingDisk()
        disk.refuses_with = errno.EROFS
        journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
        write(journal, *(f"q{number}" for number in range(3 * MAX_QUERIES)))
        assert disk.steps < 50

    @pytest.mark.parametrize("what", [".", "open", "ready"])
    def test_a_folder_that_vanishes(self, outbox: Outbox, caplog: pytest.LogCaptureFixture, what: str) -> None:
        journal = outbox.open_journal()
        write(journal, "a")
        shutil.rmtree(Path(outbox.path, what))
        write(journal, "b")
        assert ids(list(journal.pending_queries().values())) == ["a", "b"]
        assert journal.close_journal().kept == 2
        assert on_disk(outbox.path)["ready"] == [line("a"), line("b")]
        assert len(caplog.records) <= 1

    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        (tmp_path / "outbox").write_text("")
        outbox = Outbox(tmp_path / "outbox")
        journal = outbox.open_journal()
        write(journal, "a")
        assert ids(list(journal.pending_queries().values())) == ["a"]
        assert journal.close_journal().lost == 1
        assert outbox.ready_segments() == []
        assert outbox.evict() == outbox.adopt_orphans() == 0
        assert caplog.text.count("can't be used") == 1

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """Mount a disk of 64 KiB."""
        folder = tmp_path / "mounted"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("can't mount here")
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=True)

    def test_a_real_disk_that_is_full(self, small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
        outbox = Outbox(small_disk / "outbox")
        journal = outbox.open_journal()
        sent = [f"q{number}" for number in range(400)]
        write(journal, *sent)
        assert ids(list(journal.pending_queries().values())) == sent
        closed = journal.close_journal()
        assert closed.lost > 0
        assert closed.kept + closed.lost == 400
        assert ids_on_disk(outbox.path).total() == closed.kept, "nothing is torn, nothing is said of what it lost"
        assert caplog.text.count("No space left") == 1
        with outbox.open_claims() as claims:  # it can be emptied
            for name in outbox.ready_segments():
                segment = claims.claim_segment(name)
                assert segment is not None
                claims.mark_settled(segment, list(segment.lines))
        assert not ids_on_disk(outbox.path)

    def test_a_real_disk_that_becomes_read_only(self, small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
        outbox = Outbox(small_disk / "outbox")
        leave(outbox, "earlier")
        remount = ["mount", "-o", "remount,ro", small_disk]
        assert subprocess.run(remount, check=False).returncode == 0
        journal = outbox.open_journal()
        write(journal, "a")
        assert ids(list(journal.pending_queries().values())) == ["a"]
        assert outbox.evict() == outbox.adopt_orphans() == 0
        outbox.state.add_counts(accepted=1)
        assert journal.close_journal().lost == 1
        assert caplog.text.count("Read-only") == 1

    @NEEDS_ROOT
    def test_a_real_folder_without_permission(self, tmp_path: Path) -> None:
        open_to_all = tempfile.TemporaryDirectory(prefix="ryft-outbox-")
        os.chmod(open_to_all.name, 0o755)
        told = python(
            """
import logging, os
logging.basicConfig(stream=sys.stdout)
from support.outboxes import line
from airflow_provider_ryft.outbox.outbox import Outbox
os.setgid(65534)
os.setuid(65534)
outbox = Outbox(sys.argv[1])
journal = outbox.open_journal()
journal.record_start("a", line("a", interrupted=True))
journal.record_end("a", line("a"))
assert list(journal.pending_queries().values()) == [line("a")]
assert outbox.ready_segments() == []
assert journal.close_journal().lost == 1
""",
            os.path.join(open_to_all.name, "outbox"),
        )
        open_to_all.cleanup()
        assert told.count("Permission denied") == 1

    def test_a_file_is_appended_to_whole_or_not_at_all(self, tmp_path: Path) -> None:
        told = python(
            """
import os, resource
from airflow_provider_ryft.outbox.filesystem import FileSystem
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
disk = FileSystem()
descriptor = disk.create_locked(sys.argv[1])
disk.append(descriptor, b"x" * 900)
try:
    disk.append(descriptor, b"y" * 900)
except OSError as error:
    print(error.errno)
print(os.fstat(descriptor).st_size)
""",
            str(tmp_path / "file"),
        )
        assert list(map(int, told.split())) == [errno.EFBIG, 900]

    def test_what_runs_is_known_after_a_segment_could_not_be_sealed(self, tmp_path: Path) -> None:
        class CannotPublish(FailingDisk):
            def replace(self, source: str, target: str) -> None:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        disk = CannotPublish()
        journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
        journal.record_start("slow", line("slow", interrupted=True))
        write(journal, *(f"q{number}" for number in range(MAX_QUERIES + 1)))
        assert len(list(journal.pending_queries().values())) == MAX_QUERIES + 1
        disk.kill()
        assert Outbox(tmp_path / "outbox").adopt_orphans() == MAX_QUERIES + 2
        assert set(ids_on_disk(tmp_path / "outbox", "ready").values()) == {1}


class TestPeople:
    """What the command line shows and does."""

    def test_stats(self, outbox: Outbox) -> None:
        assert outbox.stats().ready.files == 0
        leave(outbox, "a", "b")
        leave(outbox, "c")
        journal = outbox.open_journal()
        write(journal, "d")
        journal.record_start("e", line("e", interrupted=True))
        outbox.add_dead_letters([RefusedQuery(line("f"), 400, "no")])
        with outbox.open_claims() as claims:
            assert claims.claim_segment(outbox.ready_segments()[0])
            stats = outbox.stats()
        counted = {place: getattr(stats, place) for place in ("running", "ready", "claimed", "dead")}
        assert {place: (one.files, one.queries) for place, one in counted.items()} == {
            "running": (1, 2),
            "ready": (1, 1),
            "claimed": (1, 2),
            "dead": (1, 1),
        }
        assert all(one.bytes > 0 and 0 <= one.age < 600 for one in counted.values())
        assert stats.state.counters == {"refused": 1}
        assert outbox.stats().claimed.files == 0

    def test_dead_letters_tell_why_and_keep_every_byte(self, outbox: Outbox) -> None:
        query = line("a", text="SELECT ',\"query\":' -- ü🦆")
        message = 'He said: ,"query":{"a": 1} and "no"'
        assert outbox.add_dead_letters([RefusedQuery(query, 422, message), RefusedQuery(line("b"), 400, "")])
        first, second = outbox.dead_letters()
        assert (first.line, first.status, first.message) == (query, 422, message)
        assert first.payload["queryId"] == "a"
        assert first.at.endswith("Z")
        assert second.line == line("b")
        (file,) = files(outbox, "dead")
        assert [json.loads(text)["query"]["queryId"] for text in file.read_text().splitlines()] == ["a", "b"]

    def test_dead_letters_survive_damage(self, outbox: Outbox) -> None:
        outbox.add_dead_letters([RefusedQuery(line("a"), 400, "no")])
        (file,) = files(outbox, "dead")
        with file.open("ab") as damaged:
            damaged.write(b'\x00\x00\n{"at":"x","query":\n{}\n')
        assert [letter.line for letter in outbox.dead_letters()] == [line("a")]

    def test_retry_dead(self, outbox: Outbox) -> None:
        outbox.add_dead_letters([RefusedQuery(line("a"), 400, "no"), RefusedQuery(line("b"), 400, "no")])
        outbox.add_dead_letters([RefusedQuery(line("c"), 400, "no")])
        assert outbox.retry_dead() == 3
        assert on_disk(outbox.path)["ready"] == [line("a"), line("b"), line("c")]
        assert files(outbox, "dead") == []

    def test_purge(self, outbox: Outbox) -> None:
        leave(outbox, "a", "b")
        outbox.add_dead_letters([RefusedQuery(line("c"), 400, "no")])
        assert outbox.purge("dead") == 1
        assert outbox.purge("ready") == 2
        assert outbox.stats().state.counters == {"refused": 1, "purged": 3}
        with pytest.raises(ValueError, match="must be ready or dead"):
            outbox.purge("open")


class TestClaims:
    """Who sends what."""

    def test_a_segment_is_with_one_sender_only(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        (name,) = outbox.ready_segments()
        with outbox.open_claims() as ours, outbox.open_claims() as theirs:
            assert ours.claim_segment(name) is not None
            assert outbox.ready_segments() == []
            assert theirs.claim_segment(name) is None
            assert outbox.adopt_orphans() == 0
        assert outbox.ready_segments() == [name]

    def test_what_was_settled_is_not_given_back(self, outbox: Outbox) -> None:
        leave(outbox, "a", "b", "c")
        with outbox.open_claims() as claims:
            segment = claims.claim_segment(outbox.ready_segments()[0])
            assert segment is not None
            claims.mark_settled(segment, list(segment.lines)[:2])
        assert on_disk(outbox.path)["ready"] == [line("c")]
        (name,) = outbox.ready_segments()
        assert name.queries == 1
        assert name.size == files(outbox, "ready")[0].stat().st_size

    def test_a_segment_that_was_evicted_meanwhile(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        (name,) = outbox.ready_segments()
        outbox.purge("ready")
        with outbox.open_claims() as claims:
            assert claims.claim_segment(name) is None

    def test_a_segment_that_is_evicted_while_it_is_claimed(self, tmp_path: Path) -> None:
        class Evicting(FileSystem):
            def lock(self, path: str, *, create: bool = False) -> int | None:
                descriptor = super().lock(path, create=create)
                if "ready" in path:
                    os.unlink(path)
                return descriptor

        outbox = Outbox(tmp_path / "outbox", disk=Evicting())
        leave(outbox, "a")
        with outbox.open_claims() as claims:
            assert claims.claim_segment(outbox.ready_segments()[0]) is None

    def test_a_lock_on_a_file_that_lost_its_name_is_none(
        self, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between opening a file and locking it, somebody may have sent and removed it."""
        flock = fcntl.flock

        def slow(descriptor: int, operation: int) -> None:
            os.rename(tmp_path / "new", tmp_path / "file")
            flock(descriptor, operation)

        for name in ("file", "new"):
            (tmp_path / name).write_text(name)
        monkeypatch.setattr(fcntl, "flock", slow)
        assert FileSystem().lock(str(tmp_path / "file")) is None

    def test_an_empty_segment_is_removed(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        (file,) = files(outbox, "ready")
        file.write_bytes(b"")
        with outbox.open_claims() as claims:
            assert claims.claim_segment(outbox.ready_segments()[0]) is None
        assert files(outbox, "ready") == files(outbox, "claimed") == []

    def test_damage_is_counted(self, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
        leave(outbox, "a", "b")
        (file,) = files(outbox, "ready")
        file.write_bytes(file.read_bytes().replace(b'["end"', b'["enx"', 1))
        with outbox.open_claims() as claims:
            segment = claims.claim_segment(outbox.ready_segments()[0])
            assert segment is not None
        assert outbox.stats().state.counters == {"damaged": 1}
        assert "1 queries in Ryft's outbox" in caplog.text
