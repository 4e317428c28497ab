"""What a public method of a hook does."""

from __future__ import annotations

from enum import Enum


class MethodKind(Enum):
    """What a public method of a hook does."""

    DELEGATE = "leaves the execution to another method of the hook"
    STATEMENT = "executes one statement itself"
    SCRIPT = "executes one statement after the other itself, and tells its lineage of each"
    BATCH = "executes all that it is given itself, and tells nobody of each statement"
    CHUNKS = "returns a generator that executes one statement when it is first asked"
    ROWS = "inserts rows with one statement, executed for each row or batch"
    JOB = "submits a statement through an API, and waits for it"
    SUBMIT = "submits a statement and does not wait: its end is not seen here"
