"""Several sightings of one execution, put together as one statement."""

from __future__ import annotations
