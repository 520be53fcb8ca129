"""What completion lists of a public object: what users call, not what the rooms below read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class Completed:
    """Leave out of ``dir()`` the attributes that only the package itself needs."""

    _for_us: ClassVar[frozenset[str]] = frozenset()

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in self._for_us]
