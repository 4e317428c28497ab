"""The hook calls and statements that a thread is in."""

from __future__ import annotations

import threading
from typing import Any

from airflow_provider_ryft.capture.hook_call import HookCall
from airflow_provider_ryft.capture.session import StatementRun


class CallStack(threading.local):
    """What a thread is in the middle of, innermost last."""

    def __init__(self) -> None:
        self.stack: list[HookCall | StatementRun] = []
        self.suppressed = 0

    @property
    def top(self) -> HookCall | StatementRun | None:
        """The innermost of these."""
        stack = self.stack
        return stack[-1] if stack else None

    def push(self, frame: HookCall | StatementRun) -> None:
        """Have what the thread does from now on belong to this; a call is given those of its hook around it."""
        if isinstance(frame, HookCall):
            frame.enclosing = self.calls(frame.hook)
        self.stack.append(frame)

    def pop(self, frame: HookCall | StatementRun) -> None:
        """Record that this is over, and so is whatever it left behind by being cut off."""
        stack = self.stack
        if stack and stack[-1] is frame:
            del stack[-1]
        elif frame in stack:
            del stack[stack.index(frame) :]

    def clear(self) -> None:
        """Forget what the thread was in the middle of."""
        self.stack.clear()
        self.suppressed = 0

    def calls(self, hook: Any) -> list[HookCall]:
        """Return the hook's public calls that are nested right here, innermost first."""
        calls = []
        for frame in reversed(self.stack):
            if not isinstance(frame, HookCall) or frame.hook is not hook or frame.reading_rows:
                break
            calls.append(frame)
        return calls


call_stack = CallStack()
