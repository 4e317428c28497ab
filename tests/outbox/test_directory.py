"""Which user the directory belongs to, and that no other can read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.results import RefusedQuery
from support.outboxes import ids, ids_on_disk, leave, line, pending, write

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and give files away")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_directory_is_private_whatever_the_umask(outbox: Outbox, umask: int) -> None:
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


def test_a_folder_that_was_opened_to_others_is_closed(outbox: Outbox) -> None:
    leave(outbox, "a")
    os.chmod(os.path.join(outbox.path, "ready"), 0o755)
    leave(Outbox(outbox.path), "b")
    assert stat.S_IMODE(os.stat(os.path.join(outbox.path, "ready")).st_mode) == 0o700


@NEEDS_ROOT
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_directory_of_another_user_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, through_a_link: bool
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(0o777)
    os.chown(theirs, 12345, 12345)
    if through_a_link:
        (tmp_path / "link").symlink_to(theirs)
    outbox = Outbox(tmp_path / "link" if through_a_link else theirs)
    journal = outbox.open_journal()
    write(journal, "a")
    assert ids(pending(journal)) == ["a"], "it is in memory"
    assert list(theirs.iterdir()) == []
    assert outbox.ready_segments() == []
    assert outbox.evict() == outbox.adopt_orphans() == 0
    assert caplog.text.count("12345") == 1
    assert "outbox_path" in caplog.text


def test_the_directory_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    leave(Outbox(tmp_path / "link"), "a")
    assert ids_on_disk(tmp_path / "ours", "ready") == {"a": 1}


def test_a_link_in_place_of_a_folder_is_not_followed(outbox: Outbox, tmp_path: Path) -> None:
    leave(outbox, "a")
    os.rmdir(os.path.join(outbox.path, "dead"))
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", os.path.join(outbox.path, "dead"))
    assert Outbox(outbox.path).add_dead_letters([RefusedQuery(line("b"), 400, "no")]) is False
    assert list((tmp_path / "elsewhere").iterdir()) == []
