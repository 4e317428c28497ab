"""How queries are recorded in the files of the outbox.

Each line is a JSON array: what happened, a checksum, the number of the statement in this file, and the query, byte by
byte as it is posted.

.. code-block:: text

    ["begin","d2b8e3a1",0,{"context":{},"queryId":"…","queryState":"FAILED",…}]
    ["end","0f5c77a2",0,{"context":{},"queryId":"…","queryState":"FINISHED",…}]

A file can be sealed, adopted, claimed and given back by renaming it, because what there is to report follows from its
records alone: the queries that ended, and those that began and never ended, which are reported as their ``begin`` says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

BEGIN = b"begin"  # a statement runs; the query is what to report if no more is heard of it
END = b"end"  # it ended, as this query
DROP = b"drop"  # it ended, and is not to be reported
SENT = b"sent"  # the server accepted it, or refused it

# Compiled when a file is first read: a task only writes.
_RECORD = rb'(?s)\["(begin|end|drop|sent)","([0-9a-f]{8})",([0-9]{1,18}),(.*)\]'
_START = rb'\["(?:begin|end|drop|sent)","'


def record(kind: bytes, number: int, line: bytes = b"null") -> bytes:
    """Return one record as it is written: its kind, the number of the statement, and the query as JSON."""
    line = line.replace(b"\n", b" ")  # JSON has raw newlines between its tokens only
    counted = b"%d," % number
    return b'["%b","%08x",%b%b]\n' % (kind, crc32(line, crc32(counted, crc32(kind))), counted, line)


def encode_segment(lines: Iterable[bytes]) -> bytes:
    """Return the records of queries that ended."""
    return b"".join(record(END, number, line) for number, line in enumerate(lines))


class ReplayedRecords(NamedTuple):
    """What the records of a file come to.

    :param lines: what there is to report, by number
    :param interrupted: how many of these began and never ended
    :param damaged: how many queries can't be read any more
    """

    lines: dict[int, bytes]
    interrupted: int
    damaged: int


def replay(data: bytes) -> ReplayedRecords:
    """Read the records of a file.

    The last record of a statement counts. What follows the last newline was never acknowledged, and is skipped. Damage
    in the middle costs the records that it hits and no other.
    """
    begun: dict[int, bytes] = {}
    ended: dict[int, bytes] = {}
    settled: set[int] = set()
    damaged: set[int] = set()
    unreadable = 0
    read = re.compile(_RECORD).fullmatch
    for text in data.split(b"\n")[:-1]:
        match = read(text)
        if match is None or not _is_intact(match):
            if match:
                damaged.add(int(match[3]))
            elif text:
                unreadable += 1
            match = _after_damage(text)
            if match is None:
                continue
        kind, number, line = match[1], int(match[3]), match[4]
        if kind == BEGIN:
            begun[number] = line
            settled.discard(number)
        elif kind == END:
            ended[number] = line
        else:
            settled.add(number)
    # A statement whose end is damaged did end: to report it as interrupted would be wrong.
    interrupted = begun.keys() - ended.keys() - settled - damaged
    lines = {number: begun[number] for number in interrupted}
    lines.update((number, line) for number, line in ended.items() if number not in settled)
    lost = unreadable + len(damaged - ended.keys() - settled)
    return ReplayedRecords(dict(sorted(lines.items())), len(interrupted), lost)


def _is_intact(match: re.Match[bytes]) -> bool:
    kind, checksum = match.group(1, 2)
    return crc32(match.string[match.start(3) : match.end(4)], crc32(kind)) == int(checksum, 16)


def _after_damage(text: bytes) -> re.Match[bytes] | None:
    """Find the record that follows damage which took the newline between them."""
    read = re.compile(_RECORD).fullmatch
    for start in re.compile(_START).finditer(text, 1):
        match = read(text, start.start())
        if match and _is_intact(match):
            return match
    return None


def mark_dropped(data: bytes, numbers: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """Yield where to write what, for statements that are not to be reported as interrupted; it takes no more space.

    :param data: the bytes of a file
    :param numbers: of the statements; those that did not begin there are skipped
    """
    position = 0
    read = re.compile(_RECORD).fullmatch
    for text in data.split(b"\n"):
        match = read(text)
        if match and match[1] == BEGIN and int(match[3]) in numbers:
            yield position, record(DROP, int(match[3])).ljust(len(text), b"\n")
        position += len(text) + 1
