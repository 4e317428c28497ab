"""The text of a statement: what kind it is, and how it reads without its literals.

Nothing here imports Airflow or needs a library. :mod:`~airflow_provider_ryft.sql.tokenizer` cuts text into tokens by
the lexical rules of a dialect; the other modules read those tokens.
"""

from __future__ import annotations
