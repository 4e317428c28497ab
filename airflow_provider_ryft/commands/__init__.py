"""What the command line does: a module for each command."""

from __future__ import annotations
