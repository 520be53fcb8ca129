"""Spectra of labels as EMSA/MAS files (ISO 22029), one per label."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime
from os import PathLike
from pathlib import Path

import numpy as np

from xcluster.base.arrays import Array
from xcluster.base.checks import warn
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.export.names import made_folder, plain_name, plain_text
from xcluster.export.spectra import SIGNALS, Spectra, spectra_of
from xcluster.files.replacing import beside
from xcluster.fit.fitted import Fitted, title
from xcluster.fit.labels import default_names
from xcluster.plot.elements import energy_unit
from xcluster.plot.lattice import is_even
from xcluster.plot.text import name_of

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

LONGEST = 64
"""Characters of a text in the header."""


def write(
    fitted: Fitted,
    folder: str | PathLike[str],
    what: str,
    var: Hashable | None,
    signal_type: str | None,
) -> list[Path]:
    """Write one file per label; see `Clustering.to_msa`."""
    spectra = spectra_of(fitted, what, var, signal_type)
    energies = _positions(spectra)
    target = made_folder(folder)
    names, written = fitted.partition.label_names(), []
    for label, name in enumerate(names):
        values = spectra.values.values[label]
        if np.isnan(values).any():
            warn(f"label {label} ({name}) has no spectrum: no sample is averaged for it")
            continue
        path = target / _file_name(label, name, len(names))
        lines = [*_header(fitted, spectra, energies, f"{label}: {name}"), *_pairs(energies, values)]
        text = "\r\n".join([*lines, "#ENDOFDATA   : ", ""])
        with beside(path) as unfinished:
            unfinished.write_bytes(text.encode("ascii"))
        written.append(path)
    return written


def _positions(spectra: Spectra) -> Array:
    """Return the positions along the spectra, which must be even."""
    axis = spectra.axis
    if axis.dtype.kind not in "iuf":
        rule = "an EMSA file needs numbers along the spectral axis"
        raise BadTypeError("dim", axis.name, rule, "give it numbers by ds.assign_coords()")
    at = axis.values.astype(float)
    if not is_even(at):
        rule = "an EMSA file needs an evenly spaced spectral axis"
        n, low, high = len(at), float(at.min()), float(at.max())
        remedy = (
            f"cluster ds.interp({{{axis.name!r}: np.linspace({low:g}, {high:g}, {n})}}) instead"
        )
        raise BadValueError("dim", axis.name, rule, remedy)
    return at


def _file_name(label: int, name: str, n_labels: int) -> str:
    """Return the name of a file, in the order of labels."""
    number = f"label_{label:0{len(str(n_labels - 1))}}"
    own = "" if name in default_names(n_labels) else plain_name(name)
    return f"{number}_{own}.msa" if own else f"{number}.msa"


def _header(fitted: Fitted, spectra: Spectra, positions: Array, label: str) -> Iterator[str]:
    """Yield the lines of the header."""
    now, axis = datetime.now(), spectra.axis
    step = (positions[-1] - positions[0]) / max(len(positions) - 1, 1) or 1.0
    entries = {
        "FORMAT": "EMSA/MAS Spectral Data File",
        "VERSION": "1.0",
        "TITLE": label,
        "DATE": f"{now:%d}-{MONTHS[now.month - 1]}-{now:%Y}",
        "TIME": f"{now:%H:%M}",
        "OWNER": "",
        "NPOINTS": f"{len(positions)}.",
        "NCOLUMNS": "1.",
        "XUNITS": energy_unit(axis) or str(axis.attrs.get("units", "")),
        "YUNITS": str(spectra.values.attrs.get("units", "")),
        "DATATYPE": "XY",
        "XPERCHAN": f"{step:.10g}",
        "OFFSET": f"{positions[0]:.10g}",
        **({"SIGNALTYPE": SIGNALS[spectra.kind]} if spectra.kind in SIGNALS else {}),
        "XLABEL": name_of(axis),
        "YLABEL": name_of(spectra.values),
        "COMMENT": f"xcluster {title(fitted)}",
        "SPECTRUM": "Spectral Data Starts Here",
    }
    for key, text in entries.items():
        yield f"#{key:<12}: {plain_text(text).replace(': ', ' ')[:LONGEST]}"


def _pairs(positions: Array, values: Array) -> Iterator[str]:
    """Yield a line for each channel: where it is, and its value."""
    return (f"{x:.10g}, {y:.9g}" for x, y in zip(positions, values, strict=True))
