"""A statement, its task and its connection, as an encoded query."""

from __future__ import annotations
