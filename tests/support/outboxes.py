"""What the tests of the outbox share: queries as lines, a disk that fails or dies, and a look at what is on it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query
from airflow_provider_ryft.outbox.dead_letters import DeadLetter
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.outbox.records import replay

TESTS = Path(__file__).parents[1]
PLACES = ("open", "ready", "claimed", "dead")


def line(query_id: str, *, text: str = "SELECT 1", interrupted: bool = False) -> bytes:
    """Return a query as it is posted; an interrupted one is reported as failed."""
    return Query(
        query_id=query_id,
        query=text,
        query_state="FAILED" if interrupted else "FINISHED",
        timestamp="2026-03-10T12:00:00Z",
        duration_ms=1,
        failure_info=FailureInfo(error_type=ErrorType.EXTERNAL, failure_message="killed") if interrupted else None,
    ).encode()


def ids(lines: Iterable[bytes]) -> list[str]:
    """Return the ids of queries."""
    return [json.loads(one)["queryId"] for one in lines]


def on_disk(path: str | os.PathLike[str], *places: str) -> dict[str, list[bytes]]:
    """Return the queries that are in an outbox, by place."""
    found: dict[str, list[bytes]] = {}
    for place in places or PLACES:
        folder = Path(path, place)
        files = sorted(folder.glob("*.ndjson")) if folder.is_dir() else []
        contents = [file.read_bytes() for file in files]
        if place == "dead":
            found[place] = [DeadLetter.decode(text).line for content in contents for text in content.splitlines()]
        else:
            found[place] = [one for content in contents for one in replay(content).lines.values()]
    return found


def ids_on_disk(path: str | os.PathLike[str], *places: str) -> Counter[str]:
    """Count the ids that are in an outbox."""
    return Counter(one for lines in on_disk(path, *places).values() for one in ids(lines))


def pending(journal: Journal) -> list[bytes]:
    """Return the queries of a journal that ended and were neither settled nor sealed."""
    return list(journal.pending_queries().values())


def write(journal: Journal, *query_ids: str) -> None:
    """Let statements start and end."""
    for one in query_ids:
        journal.record_start(one, line(one, interrupted=True))
        journal.record_end(one, line(one))


def leave(outbox: Outbox, *query_ids: str) -> None:
    """Let a task keep queries."""
    journal = outbox.open_journal()
    write(journal, *query_ids)
    assert journal.close_journal().kept == len(query_ids)


def files(outbox: Outbox, place: str) -> list[Path]:
    """Return the files that are in a folder of an outbox."""
    return sorted(Path(outbox.path, place).glob("*"))


def python(code: str, *args: str) -> str:
    """Run a script in a process of its own, and return what it prints."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{code}", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Killed(BaseException):
    """The process is dead; nothing of it runs any more."""


class FailingDisk(FileSystem):
    """A disk in a process that can be killed at any of its steps, and that may stop to write.

    A killed process holds no lock, and does nothing any more, whatever its code still says.
    """

    def __init__(self) -> None:
        self.steps_left: int | None = None
        self.is_dead = False
        self.refuses_with: int | None = None
        self.steps = 0
        self._open: set[int] = set()

    def kill(self) -> None:
        """Let the operating system take everything back."""
        self.is_dead = True
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def step(self, name: str, args: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        """Do one thing, or die before it."""
        if self.is_dead:
            raise Killed
        self.steps += 1
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                if name == "append":  # in the middle of it
                    os.write(args[0], args[1][: len(args[1]) // 2])
                self.kill()
                raise Killed
        if self.refuses_with is not None and name not in ("close", "read", "names", "lock"):
            if name == "append" and self.refuses_with == errno.ENOSPC:
                start = os.lseek(args[0], 0, os.SEEK_END)
                os.write(args[0], args[1][: len(args[1]) // 2])
                os.ftruncate(args[0], start)
            raise OSError(self.refuses_with, os.strerror(self.refuses_with))
        result = do()
        if name in ("create_locked", "lock") and result is not None:
            self._open.add(result)
        if name == "close":
            self._open.discard(args[0])
        return result


def _through_step(name: str) -> Any:
    original = getattr(FileSystem, name)

    def method(self: FailingDisk, *args: Any, **options: Any) -> Any:
        return self.step(name, args, lambda: original(self, *args, **options))

    return method


_NAMES = ("make_folder", "make_private", "create_locked", "lock", "append", "sync", "close", "replace", "publish")
for _name in (*_NAMES, "move_if_there", "remove", "names", "read", "sync_file", "sync_folder"):
    setattr(FailingDisk, _name, _through_step(_name))
