"""From a running task to the queries that it ran."""

from __future__ import annotations
