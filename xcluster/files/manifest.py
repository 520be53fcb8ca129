"""The manifest of a file: the parts of a result as JSON values, and back. Arrays lie beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import sklearn
import xarray as xr
from scipy.sparse import csr_array
from sklearn.base import clone

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice
from xcluster.base.version import __version__
from xcluster.chain.question import Question
from xcluster.chain.reduction import Chain
from xcluster.chain.steps import KINDS, FittedStep, Over, Step, unfitted_steps
from xcluster.files.serial import decode, encode_estimator
from xcluster.fit.assign import Labeller
from xcluster.fit.candidates import Candidates
from xcluster.fit.cleaning import Cleaning, Fill, Sieve, Smooth, Threshold
from xcluster.fit.fitted import Fitted
from xcluster.fit.labels import Partition
from xcluster.fit.means import Means, are_prototypes
from xcluster.fit.methods import Method, Options, several_said
from xcluster.fit.record import Note, Record
from xcluster.fit.sources import Stored
from xcluster.grid.columns import with_columns
from xcluster.grid.layout import LABEL, cell_columns
from xcluster.grid.samplers import Pixels, Profiles, Sampler, Snapshots
from xcluster.grid.windows import Patches

Entry = Mapping[str, Any]

FORMATS = (1, 2, 3, 4)
"""Versions of the file format; a new one is used only if older versions of the package cannot read
the file: 2 if columns have another order than the cells of the variables, 3 if samples were chosen
in a way that these do not know (`_is_new`), 4 if labels were cleaned."""

STEPS = {step.name: step for step in (Smooth, Sieve, Fill, Threshold)}
"""Steps that clean labels, by name."""

OLD_CENTERS = Note(
    "centers",
    "the file is older than means of samples: centres are those of the clusterer, taken back "
    "through the steps",
)

SAMPLERS = (Pixels, Profiles, Snapshots, Patches)


# -------------------------------------------------------------------------------------- writing


def entries(fitted: Fitted, question: Question | None, arrays: dict[str, Array]) -> dict[str, Any]:
    """Return the parts of a result as JSON values; its arrays are added to ``arrays``."""
    chain = fitted.assign.chain
    arrays.update(_own_arrays(fitted))
    return {
        "format": _format(fitted, "columns" in arrays),
        "versions": _versions(),
        "method": fitted.method_name,
        "keywords": list(fitted.keywords.items()),  # a mapping would be sorted
        "sampler": _sampler_entry(fitted.sampler),
        "features": [
            [str(name), [str(dim) for dim in array.dims]]
            for name, array in fitted.template.data_vars.items()
        ],
        "steps": [_step_entry(step, arrays) for step in chain.steps],
        "asked": None if question is None else _asked_entry(question.steps),
        "clusterer": encode_estimator(fitted.assign.clusterer, arrays),
        "partition": _partition_entry(fitted.partition),
        **_cleaning_entry(fitted),
        "record": dataclasses.asdict(fitted.record),
        "climatology": encode_estimator(fitted.climatology, arrays),
        "weighting": _weighting_entry(question),
        "criterion": None if fitted.sweep is None else fitted.sweep.method.criterion,
        "knee": None if fitted.sweep is None else _knee_entry(fitted.sweep.options),
    }


def _own_arrays(fitted: Fitted) -> dict[str, Array]:
    """Return the arrays of a result that belong to no estimator, by name."""
    arrays = {"centers": fitted.assign.centers}
    if fitted.source.means is not None:
        means = fitted.raw_means
        arrays["means"], arrays["mean_weights"] = means.rows, means.weight
    columns = cell_columns(fitted.template)
    if not np.array_equal(columns, np.arange(len(columns))):
        arrays["columns"] = columns
    if fitted.graph is not None:
        arrays["graph_indices"], arrays["graph_indptr"] = fitted.graph.indices, fitted.graph.indptr
    if fitted.means_of_labels is not None:
        arrays["label_means"], arrays["label_weights"] = fitted.means_of_labels
    return arrays


def _step_entry(step: FittedStep, arrays: dict[str, Array]) -> dict[str, Any]:
    transformer = encode_estimator(step.transformer, arrays)
    return {"name": step.name, "kind": step.kind.name, "transformer": transformer}


def _weighting_entry(question: Question | None) -> str | None:
    """Return how samples were weighted, if this is not an array."""
    weighting = None if question is None else question.weighting
    return weighting if isinstance(weighting, str) else None


def _asked_entry(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what the user asked for in each step, which fitted steps do not tell completely."""
    return [
        {"name": step.name, "over": step.over, "is_fitted": step.transformer is not None}
        for step in steps
    ]


def _knee_entry(options: Options) -> dict[str, Any]:
    return {"smooth": options.smooth, "interp_method": options.interp_method}


def _versions() -> dict[str, str]:
    return {
        "xcluster": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "xarray": xr.__version__,
    }


def _sampler_entry(sampler: Sampler) -> dict[str, Any]:
    # Defaults are left out: older versions do not know all fields.
    fields = {
        each.name: getattr(sampler, each.name)
        for each in dataclasses.fields(sampler)  # type: ignore[arg-type]
        if getattr(sampler, each.name) != each.default
    }
    return {"kind": type(sampler).__name__, **fields}


def _partition_entry(partition: Partition) -> dict[str, Any]:
    return {**vars(partition), "codes": partition.codes.tolist()}


def _cleaning_entry(fitted: Fitted) -> dict[str, Any]:
    """Return the steps that cleaned the labels, each with what labels meant before it."""
    steps = [
        {"name": step.name, "keywords": vars(step), "partition": _partition_entry(partition)}
        for partition, step in fitted.source.cleaning
    ]
    return {"cleaning": steps} if steps else {}


def _format(fitted: Fitted, moved: bool) -> int:
    if fitted.source.cleaning:
        return FORMATS[3]
    return FORMATS[2] if _is_new(fitted) else FORMATS[moved]


def _is_new(fitted: Fitted) -> bool:
    """Whether samples were chosen in a way that versions for formats 1 and 2 do not know."""
    sampler, cycle = fitted.sampler, fitted.climatology
    if sampler.least is not None:
        return True
    if cycle is not None and not cycle.common:
        return True
    if isinstance(sampler, Pixels | Snapshots):
        return isinstance(sampler.dim, list | tuple)
    return isinstance(sampler, Profiles) and sampler.along is not None


# -------------------------------------------------------------------------------------- reading


def fitted(
    manifest: Entry,
    arrays: Mapping[str, Array],
    groups: Mapping[str, xr.Dataset],
    trusted: Collection[str],
) -> Fitted:
    """Return the result from the parts of a file, without labels."""
    sampler = _sampler(manifest["sampler"])
    steps = tuple(_step(each, arrays, trusted) for each in manifest["steps"])
    assign = Labeller(
        Chain(steps, gaps=sampler.least is not None),
        decode(manifest["clusterer"], arrays, trusted),
        _partition(manifest["partition"]),
        arrays["centers"],
    )
    means = _means(manifest, arrays)
    return Fitted(
        method_name=manifest["method"],
        keywords=dict(manifest.get("keywords", ())),  # older files have none
        sampler=sampler,
        template=_template(groups["centers"], manifest["features"], arrays.get("columns")),
        assign=assign,
        record=_said_of_centers(_record(manifest["record"]), assign, means),
        source=Stored(
            xr.Dataset(),
            means=means,
            cleaning=tuple(_cleaning(each) for each in manifest.get("cleaning", ())),
            of_labels=_of_labels(arrays),
        ),
        sweep=_sweep(manifest, groups["scores"]),
        attrs=dict(groups["/"].attrs),
        climatology=decode(manifest["climatology"], arrays, trusted),
        graph=_graph(arrays),
    )


def _cleaning(entry: Entry) -> tuple[Partition, Cleaning]:
    return _partition(entry["partition"]), STEPS[entry["name"]](**entry["keywords"])


def _means(manifest: Entry, arrays: Mapping[str, Array]) -> Means | None:
    """Return the means of rows; older files weigh them by the samples of each number."""
    if "means" not in arrays:
        return None
    weight = arrays.get("mean_weights", np.asarray(manifest["record"]["counts"], np.float64))
    return Means(arrays["means"], weight)


def _said_of_centers(record: Record, assign: Labeller, means: Means | None) -> Record:
    """Return the record, with a note if an older version saved no means of samples."""
    same = assign.chain.keeps_means or are_prototypes(assign.clusterer, assign.chain)
    if means is not None or same or OLD_CENTERS in record.notes:
        return record
    return dataclasses.replace(record, notes=(*record.notes, OLD_CENTERS))


def _of_labels(arrays: Mapping[str, Array]) -> tuple[Array, Array] | None:
    """Return means and weights of the samples of labels that were cleaned."""
    if "label_means" not in arrays:
        return None
    return arrays["label_means"], arrays["label_weights"]


def _graph(arrays: Mapping[str, Array]) -> Any:
    """Return the graph that the user gave as ``contiguous=``, if there is one."""
    if "graph_indptr" not in arrays:
        return None
    indices, indptr = arrays["graph_indices"], arrays["graph_indptr"]
    n = len(indptr) - 1
    return csr_array((np.ones(len(indices), bool), indices, indptr), shape=(n, n))


def _step(entry: Entry, arrays: Mapping[str, Array], trusted: Collection[str]) -> FittedStep:
    # Older files have the name "scale_2" for a second scaling, but not its kind.
    kind = KINDS[entry.get("kind", entry["name"].partition("_")[0])]
    return FittedStep(entry["name"], kind, decode(entry["transformer"], arrays, trusted))


def _partition(entry: Entry) -> Partition:
    return Partition(**{**_with_tuples(entry), "codes": np.asarray(entry["codes"], np.int64)})


def _sampler(entry: Mapping[str, Any]) -> Sampler:
    kinds: dict[str, type[Sampler]] = {cls.__name__: cls for cls in SAMPLERS}
    fields = _with_tuples(entry)
    if isinstance(entry.get("dim"), list):  # several dims; a tuple is the name of one
        fields["dim"] = entry["dim"]
    return kinds[fields.pop("kind")](**fields)


def _with_tuples(entry: Entry) -> dict[str, Any]:
    """Return an entry with tuples again, which JSON writes as lists."""
    return {name: tuple(each) if isinstance(each, list) else each for name, each in entry.items()}


def _template(
    centers: xr.Dataset, features: Sequence[tuple[str, list[str]]], columns: Array | None
) -> xr.Dataset:
    names = [name for name, _ in features]
    # If all is noise, there are no centres, and every cell counts as a feature.
    has_data = centers.notnull().any(LABEL) if centers.sizes[LABEL] else centers.isnull().all(LABEL)
    # Coordinates along the labels are gone here, whatever their names.
    has_data = has_data[names].compute()
    # Files may return variables in another order; the order of features must be restored.
    known = {
        name: has_data[name].transpose(*dims).assign_attrs(centers[name].attrs)
        for name, dims in features
    }
    return with_columns(xr.Dataset(known), columns)


def _record(entry: Entry) -> Record:
    return Record(**{**_with_tuples(entry), "notes": tuple(map(_note, entry["notes"]))})


def _note(entry: Entry | str) -> Note:
    """Return a note; older files hold only its text."""
    return Note("clusterer", entry) if isinstance(entry, str) else Note(**entry)


def _sweep(manifest: Entry, table: xr.Dataset) -> Candidates | None:
    if manifest["criterion"] is None:
        return None
    method = Method(manifest["method"], None, criterion=manifest["criterion"])
    knee = manifest.get("knee") or _knee_entry(Options())
    options = Options(smooth=knee["smooth"], interp_method=knee["interp_method"]).checked()
    table = table.rename(sweep_k="k").compute()
    said = {"k": several_said(table["k"].values)}
    keywords = {**said, **dict(manifest.get("keywords", ())), **said}
    return Candidates(table, method, options, keywords=keywords)


def asked_steps(fitted: Fitted, asked: Sequence[Entry] | None) -> tuple[Step, ...]:
    """Return the steps as the user asked for them, or as they were fitted if that is not known."""
    steps = fitted.assign.chain.steps
    if asked is None:
        known = unfitted_steps(steps, len(fitted.template))
        return tuple(
            dataclasses.replace(each, transformer=clone(each.transformer)) for each in known
        )
    n_fitted = sum(each["is_fitted"] for each in asked)
    # A scaling that was added by default comes before all other steps.
    transformers = iter([clone(each.transformer) for each in steps[len(steps) - n_fitted :]])
    return tuple(
        Step(
            KINDS[each["name"]],
            next(transformers) if each["is_fitted"] else None,
            check_choice("over", each["over"], get_args(Over)),
        )
        for each in asked
    )
