"""What may leave the process."""

from __future__ import annotations
