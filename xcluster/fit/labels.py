"""From the clusterer's numbers to labels: their order, names and colours, merged or left out."""

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
    """Turns the numbers of a clusterer into labels.

    Parameters
    ----------
    codes : array of shape (n_raw,)
        The label of each of the clusterer's own numbers. Several numbers may have one label.
    names, colors : tuple of str, optional
        One per label.
    floor : float, optional
        A sample is unclassified if none of its memberships is above this.
    ordered : bool, default False
        Whether labels are numbered by a value; then they get a sequential palette.
    has_noise : bool, default False
        Whether the clusterer itself leaves samples without a label.
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
        """Return labels as float32; negative numbers of the clusterer become unclassified."""
        table = np.append(self.codes, UNCLASSIFIED).astype(np.float32)  # -1 is the last
        return np.asarray(table[np.maximum(raw, -1)])

    def memberships(self, raw: Array) -> Array:
        """Return memberships of shape (n, n_raw) as (n, n_labels): those of one label add up.

        Lazy memberships, such as those of a file, stay lazy.
        """
        together = np.zeros((len(self.codes), self.n_labels), raw.dtype)
        together[np.arange(len(self.codes)), self.codes] = 1
        return raw @ together

    def classify(self, labels: Array, memberships: Array) -> Array:
        """Return the labels, unclassified where no membership is above the floor."""
        if self.floor is None:
            return labels
        best = memberships.max(axis=1)
        return np.where(best > self.floor, labels, np.float32(UNCLASSIFIED))

    def label_names(self) -> tuple[str, ...]:
        """Return the name of each label."""
        return self.names or default_names(self.n_labels)

    def _own_names(self) -> list[str | None] | None:
        """Return the name of each label; None for default names."""
        if self.names is None:
            return None
        numbers = default_names(self.n_labels)
        return [
            None if name == number else name
            for name, number in zip(self.names, numbers, strict=True)
        ]

    def label_colors(self) -> tuple[str, ...]:
        """Return the colour of each label as hexadecimal text."""
        return self.colors or tuple(label_colors(self.n_labels, ordered=self.ordered))

    @property
    def attrs(self) -> dict[str, Any]:
        """The CF flag attributes of a label map."""
        # At least two flags: a file would return a single one as a scalar, which CF forbids.
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
        """Return the partition with each label replaced by ``mapping[label]``.

        Names move with their labels, and colours move with names. Without names, colours are those
        of the new numbers. A default name becomes that of the new number.
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
        """Return the partition with other names and colours: sequences, mappings or None."""
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
    """Return the default names of labels, which contain their numbers."""
    return tuple(f"label_{label}" for label in range(n))


def _moved(
    texts: Sequence[str | None] | None, mapping: Array, default: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return texts of the new labels: that of the first old label, otherwise the default."""
    if texts is None:
        return None
    first = {int(new): texts[old] for old, new in reversed(list(enumerate(mapping)))}
    return tuple(first.get(new) or text for new, text in enumerate(default))


def _for_each(
    parameter: str, given: Any, current: tuple[str, ...], checked: Callable[[str, Any], str]
) -> tuple[str, ...]:
    """Return one text per label, from a sequence or from a mapping of some labels."""
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in range(len(current))]
        if unknown:
            rule = f"has the key {unknown[0]!r}, but labels are 0 to {len(current) - 1}"
            raise BadValueError(parameter, given, rule, "use labels as keys")
        return tuple(
            checked(parameter, given.get(label, text)) for label, text in enumerate(current)
        )
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != len(current):
        rule = f"must give one text for each of the {len(current)} labels"
        raise BadValueError(parameter, given, rule, "to change only some, pass a mapping")
    return tuple(checked(parameter, each) for each in given)


def _shown_name(parameter: str, name: Any) -> str:
    """Return a name that is not blank: CF separates names by spaces."""
    if not check_text(parameter, name).strip():
        rule = "is blank, so that a legend would show nothing"
        raise BadValueError(parameter, name, rule, "pass a mapping without this label")
    return str(name)


def _hexadecimal(parameter: str, color: Any) -> str:
    from matplotlib.colors import is_color_like, to_hex

    if not is_color_like(color):
        rule = "is not a colour that matplotlib knows"
        raise BadValueError(parameter, color, rule, "use a name or '#rrggbb'")
    return str(to_hex(color))


def check_floor(u: Any) -> float:
    """Return ``u`` as a number of at least 0 and below 1."""
    floor = check_number("u", u, minimum=0)
    if floor >= 1:
        rule = "must be below 1: no membership is above 1"
        raise BadValueError("u", u, rule, "pass, for example, u=0.5")
    return floor


def canonical_order(counts: Array, centers: Array | None, values: Array | None = None) -> Array:
    """Return the label of each of the clusterer's numbers.

    Labels are numbered by falling ``counts``, or by rising ``values`` if these are given. Equal
    ones are ordered by their centres, so that every run gives the same numbers.
    """
    keys = [-np.asarray(counts, float) if values is None else np.asarray(values, float)]
    if centers is not None:
        keys += list(np.asarray(centers, float).T)
    order = np.lexsort(keys[::-1])
    codes = np.empty(len(order), np.int64)
    codes[order] = np.arange(len(order))
    return codes
