"""A stand-in for Ryft's Ingest API on loopback: to try things, to see what would be sent, and to test against."""

from __future__ import annotations
