"""The progress bar of everything that takes long."""

from __future__ import annotations

from typing import Any

DELAY_SECONDS = 2.0


def bar(show: bool, unit: str, total: int | None) -> Any:
    """Return a tqdm bar that appears once the work has taken two seconds."""
    from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, delay=DELAY_SECONDS, disable=not show, leave=False)
