"""Operations on files that a disk, or another process, interrupts."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.filesystem import FileSystem
from support.outboxes import python

if TYPE_CHECKING:
    import pytest


def test_a_file_is_appended_to_whole_or_not_at_all(tmp_path: Path) -> None:
    output = python(
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
    assert list(map(int, output.split())) == [errno.EFBIG, 900]


def test_a_lock_on_a_file_that_lost_its_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening a file and locking it, another process may have sent and removed it."""
    flock = fcntl.flock

    def slow(descriptor: int, operation: int) -> None:
        os.rename(tmp_path / "new", tmp_path / "file")
        flock(descriptor, operation)

    for name in ("file", "new"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(fcntl, "flock", slow)
    assert FileSystem().lock(str(tmp_path / "file")) is None
