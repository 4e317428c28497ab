"""From the outbox to the client."""

from __future__ import annotations
