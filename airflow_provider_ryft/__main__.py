"""``python -m airflow_provider_ryft``."""

from __future__ import annotations

import sys

from airflow_provider_ryft.cli.definition import main

if __name__ == "__main__":
    sys.exit(main())
