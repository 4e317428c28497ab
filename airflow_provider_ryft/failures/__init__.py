"""An exception, as the error that the Ingest API takes."""

from __future__ import annotations
