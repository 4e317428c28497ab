"""What Ryft's Ingest API takes, and how it is delivered. Nothing in here imports Airflow."""

from __future__ import annotations
