"""What is known of the methods that are wrapped: what each does, and the code of the wrappers."""

from __future__ import annotations

from enum import Enum
from types import CodeType

# Of the functions that replace methods: an error that came through one of them is of another call. They register
# themselves, so that nothing here names them.
wrapper_code: set[CodeType] = set()


class MethodKind(Enum):
    """What a public method of a hook does."""

    DELEGATE = "leaves the execution to another method of the hook"
    STATEMENT = "executes one statement itself"
    SCRIPT = "executes one statement after the other itself, and reports each to hook lineage"
    BATCH = "executes all that it is given itself, and reports none of them"
    CHUNKS = "returns a generator that executes one statement when it is first asked"
    ROWS = "inserts rows with one statement, executed for each row or batch"
    JOB = "submits a statement through an API, and waits for it"
    SUBMIT = "submits a statement and does not wait: its end is not observed here"
