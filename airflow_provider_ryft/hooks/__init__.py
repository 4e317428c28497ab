"""Hooks of the Ryft provider."""

from __future__ import annotations
