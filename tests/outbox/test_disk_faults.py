"""A disk that fails: no exception, one warning, and the queries can still be delivered."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_ryft.outbox.journal import MAX_QUERIES, CloseResult
from airflow_provider_ryft.outbox.outbox import Outbox
from support.outboxes import FailingDisk, files, ids, ids_on_disk, leave, line, on_disk, pending, python, write

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and give files away")


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_queries_stay_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: int, after: int) -> None:
    disk = FailingDisk()
    outbox = Outbox(tmp_path / "outbox", disk=disk)
    journal = outbox.open_journal()
    for number in range(4):
        disk.refuses_with = reason if number >= after else None
        write(journal, f"q{number}")
    assert ids(pending(journal)) == ["q0", "q1", "q2", "q3"]
    journal.mark_settled(journal.pending_queries())
    assert journal.close_journal() == CloseResult()
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
    assert os.strerror(reason) in outbox.disk_problem
    assert outbox.path in outbox.disk_problem


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_recovers_takes_everything(tmp_path: Path, reason: int) -> None:
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
    tmp_path: Path, caplog: pytest.LogCaptureFixture
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


def test_memory_has_a_bound_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = FailingDisk()
    disk.refuses_with = errno.EROFS
    journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
    for number in range(40):
        journal.record_end(f"q{number}", line(f"q{number}", text="x" * (1 << 20)))
        assert sum(map(len, pending(journal))) < 34 << 20
    assert ids(pending(journal))[-1] == "q39"
    assert journal.close_journal().lost == 40
    assert "Read-only file system" in caplog.text
    assert len(caplog.records) == 3, "the disk, those that there was no room for, and those at the end"


def test_a_disk_that_refuses_is_not_asked_for_each_statement(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.refuses_with = errno.EROFS
    journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
    write(journal, *(f"q{number}" for number in range(3 * MAX_QUERIES)))
    assert disk.steps < 50


@pytest.mark.parametrize("what", [".", "open", "ready"])
def test_a_folder_that_vanishes(outbox: Outbox, caplog: pytest.LogCaptureFixture, what: str) -> None:
    journal = outbox.open_journal()
    write(journal, "a")
    shutil.rmtree(Path(outbox.path, what))
    write(journal, "b")
    assert ids(pending(journal)) == ["a", "b"]
    assert journal.close_journal().kept == 2
    assert on_disk(outbox.path)["ready"] == [line("a"), line("b")]
    assert len(caplog.records) <= 1


def test_a_file_in_the_place_of_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "outbox").write_text("")
    outbox = Outbox(tmp_path / "outbox")
    journal = outbox.open_journal()
    write(journal, "a")
    assert ids(pending(journal)) == ["a"]
    assert journal.close_journal().lost == 1
    assert outbox.ready_segments() == []
    assert outbox.evict() == outbox.adopt_orphans() == 0
    assert caplog.text.count("can't be used") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 KiB."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("can't mount here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_real_disk_that_is_full(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(small_disk / "outbox")
    journal = outbox.open_journal()
    sent = [f"q{number}" for number in range(400)]
    write(journal, *sent)
    assert ids(pending(journal)) == sent
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


def test_a_real_disk_that_becomes_read_only(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(small_disk / "outbox")
    leave(outbox, "earlier")
    remount = ["mount", "-o", "remount,ro", small_disk]
    assert subprocess.run(remount, check=False).returncode == 0
    journal = outbox.open_journal()
    write(journal, "a")
    assert ids(pending(journal)) == ["a"]
    assert outbox.evict() == outbox.adopt_orphans() == 0
    outbox.state.add_counts(accepted=1)
    assert journal.close_journal().lost == 1
    assert caplog.text.count("Read-only") == 1


@NEEDS_ROOT
def test_a_real_folder_without_permission(tmp_path: Path) -> None:
    open_to_all = tempfile.TemporaryDirectory(prefix="ryft-outbox-")
    os.chmod(open_to_all.name, 0o755)
    output = python(
        """
import logging, os
logging.basicConfig(stream=sys.stdout)
from support.outboxes import line, pending
from airflow_provider_ryft.outbox.outbox import Outbox
os.setgid(65534)
os.setuid(65534)
outbox = Outbox(sys.argv[1])
journal = outbox.open_journal()
journal.record_start("a", line("a", interrupted=True))
journal.record_end("a", line("a"))
assert pending(journal) == [line("a")]
assert outbox.ready_segments() == []
assert journal.close_journal().lost == 1
""",
        os.path.join(open_to_all.name, "outbox"),
    )
    open_to_all.cleanup()
    assert output.count("Permission denied") == 1


def test_what_runs_is_known_after_a_segment_could_not_be_sealed(tmp_path: Path) -> None:
    class CannotPublish(FailingDisk):
        def replace(self, source: str, target: str) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk = CannotPublish()
    journal = Outbox(tmp_path / "outbox", disk=disk).open_journal()
    journal.record_start("slow", line("slow", interrupted=True))
    write(journal, *(f"q{number}" for number in range(MAX_QUERIES + 1)))
    assert len(pending(journal)) == MAX_QUERIES + 1
    disk.kill()
    assert Outbox(tmp_path / "outbox").adopt_orphans() == MAX_QUERIES + 2
    assert set(ids_on_disk(tmp_path / "outbox", "ready").values()) == {1}
