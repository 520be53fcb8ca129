"""Which attributes of a public object completion lists: those that users need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class Completed:
    """Leave out of ``dir()`` the attributes that only the package itself needs."""

    _for_us: ClassVar[frozenset[str]] = frozenset()

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in self._for_us]
