"""What the clusterer's numbers mean to the user: order, names, colours, merged and unclassified."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.checks import check_number, check_text
from xcluster.base.errors import BadValueError
from xcluster.base.palette import UNCLASSIFIED_COLOR, label_colors

Array = NDArray[Any]

UNCLASSIFIED = -1
FILL_VALUE = -32768


@dataclass(frozen=True, eq=False)
class Partition:
    """From the numbers that a clusterer gives to labels.

    Parameters
    ----------
    codes : array of shape (n_raw,)
        The label of each of the clusterer's own numbers; several may share one.
    names, colors : tuple of str, optional
        Of each label.
    floor : float, optional
        Samples are unclassified unless a membership exceeds it.
    ordered : bool, default False
        Whether labels are numbered by a value, so that a sequential palette suits them.
    has_noise : bool, default False
        Whether the clusterer itself leaves samples unclassified.
    """

    codes: Array
    names: tuple[str, ...] | None = None
    colors: tuple[str, ...] | None = None
    floor: float | None = None
    ordered: bool = False
    has_noise: bool = False

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return int(self.codes.max(initial=UNCLASSIFIED)) + 1

    def __call__(self, raw: Array) -> Array:
        """Return labels as float32; the clusterer's negative numbers are unclassified."""
        table = np.append(self.codes, UNCLASSIFIED).astype(np.float32)  # -1 is the last
        return np.asarray(table[np.maximum(raw, -1)])

    def memberships(self, raw: Array) -> Array:
        """Return memberships (n, n_raw) as (n, n_labels): those of merged labels add up.

        Lazy ones, as those of a file, stay lazy.
        """
        together = np.zeros((len(self.codes), self.n_labels), raw.dtype)
        together[np.arange(len(self.codes)), self.codes] = 1
        return raw @ together

    def classify(self, labels: Array, memberships: Array) -> Array:
        """Return the labels, unclassified where no membership exceeds the floor."""
        if self.floor is None:
            return labels
        best = memberships.max(axis=1)
        return np.where(best > self.floor, labels, np.float32(UNCLASSIFIED))

    def label_names(self) -> tuple[str, ...]:
        """Return the name of each label."""
        return self.names or default_names(self.n_labels)

    def _own_names(self) -> list[str | None] | None:
        """Return the name of each label, None for those that only tell the number."""
        if self.names is None:
            return None
        numbers = default_names(self.n_labels)
        return [
            None if name == number else name
            for name, number in zip(self.names, numbers, strict=True)
        ]

    def label_colors(self) -> tuple[str, ...]:
        """Return the colour of each label, as hexadecimal text."""
        return self.colors or tuple(label_colors(self.n_labels, ordered=self.ordered))

    @property
    def attrs(self) -> dict[str, Any]:
        """The CF flag attributes of a label map."""
        # A single flag would come back from a file as a scalar, which CF readers refuse.
        noise = self.has_noise or self.floor is not None or self.n_labels == 1
        values = np.arange(UNCLASSIFIED if noise else 0, self.n_labels, dtype=np.int16)
        names = [*(["unclassified"] if noise else []), *self.label_names()]
        colors = [*([UNCLASSIFIED_COLOR] if noise else []), *self.label_colors()]
        return {
            "long_name": "label",
            "flag_values": values,
            "flag_meanings": " ".join("_".join(name.split()) for name in names),
            "flag_colors": " ".join(colors),
        }

    def recoded(self, mapping: Sequence[int] | Array) -> Partition:
        """Return the partition whose labels are ``mapping[label]``; names and colours move too.

        A colour belongs to a name: labels with names keep theirs, those without have the colours
        of their new numbers. A default name tells a number, and is that of the new one.
        """
        mapping = np.asarray(mapping)
        colors = self.colors if self.names is None else self.label_colors()
        moved = replace(self, codes=mapping[self.codes], names=None, colors=None)
        return replace(
            moved,
            names=_moved(self._own_names(), mapping, moved.label_names()),
            colors=_moved(colors, mapping, moved.label_colors()),
        )

    def relabelled(self, names: Any, colors: Any) -> Partition:
        """Return the partition with names and colours; either may be None, or a mapping."""
        partition = self
        if names is not None:
            new = _for_each("names", names, self.label_names(), _shown_name)
            duplicate = {name for name in new if new.count(name) > 1}
            if duplicate:
                rule = f"gives {sorted(duplicate)} twice"
                raise BadValueError("names", names, rule, "use merge() to join labels")
            partition = replace(partition, names=new)
        if colors is not None:
            chosen = _for_each("colors", colors, self.label_colors(), _hexadecimal)
            partition = replace(partition, colors=chosen)
        return partition


def default_names(n: int) -> tuple[str, ...]:
    """Return the names of labels that nobody named: their numbers."""
    return tuple(f"label_{label}" for label in range(n))


def _moved(
    texts: Sequence[str | None] | None, mapping: Array, default: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return texts of the new labels: of the first old one, or the default where there is none."""
    if texts is None:
        return None
    first = {int(new): texts[old] for old, new in reversed(list(enumerate(mapping)))}
    return tuple(first.get(new) or text for new, text in enumerate(default))


def _for_each(
    parameter: str, given: Any, current: tuple[str, ...], checked: Callable[[str, Any], str]
) -> tuple[str, ...]:
    """Return one text a label from a sequence, or from a mapping of some labels."""
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in range(len(current))]
        if unknown:
            rule = f"names label {unknown[0]!r}, and labels run 0 to {len(current) - 1}"
            raise BadValueError(parameter, given, rule, "use the labels as keys")
        return tuple(
            checked(parameter, given.get(label, text)) for label, text in enumerate(current)
        )
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != len(current):
        rule = f"must give one text for each of the {len(current)} labels"
        raise BadValueError(parameter, given, rule, "or a mapping of some labels")
    return tuple(checked(parameter, each) for each in given)


def _shown_name(parameter: str, name: Any) -> str:
    """Return a name that leaves something to read; CF tells names apart by their spaces."""
    if not check_text(parameter, name).strip():
        rule = "is blank, and a legend would show nothing"
        raise BadValueError(parameter, name, rule, "leave the label out to keep its name")
    return str(name)


def _hexadecimal(parameter: str, color: Any) -> str:
    from matplotlib.colors import is_color_like, to_hex

    if not is_color_like(color):
        rule = "is no colour that matplotlib knows"
        raise BadValueError(parameter, color, rule, "use a name or '#rrggbb'")
    return str(to_hex(color))


def check_floor(u: Any) -> float:
    """Return a membership that samples may have to exceed."""
    floor = check_number("u", u, minimum=0)
    if floor >= 1:
        rule = "must be below 1, as no membership exceeds that"
        raise BadValueError("u", u, rule, "pass u=0.5, for example")
    return floor


def canonical_order(counts: Array, centers: Array | None, values: Array | None = None) -> Array:
    """Return the code of each of the clusterer's numbers.

    Labels are numbered by falling ``counts``, or by rising ``values`` where given; ties go by
    centre, so that reruns read alike.
    """
    keys = [-np.asarray(counts, float) if values is None else np.asarray(values, float)]
    if centers is not None:
        keys += list(np.asarray(centers, float).T)
    order = np.lexsort(keys[::-1])
    codes = np.empty(len(order), np.int64)
    codes[order] = np.arange(len(order))
    return codes
