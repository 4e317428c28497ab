"""SQL that no observed hook executes."""

from __future__ import annotations
