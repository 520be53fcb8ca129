"""Self-organising maps: a grid of nodes that follows the data and keeps its own topology."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.distances import distances
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.som_grid import (
    Grid,
    are_neighbours,
    check_grid,
    default_grid,
    mean_distance_to_neighbours,
)
from xcluster.algorithms.parts.som_grid import (
    squared_distances as squared_steps,
)
from xcluster.algorithms.parts.som_nodes import (
    merged_by_ward,
    nearest_nodes,
    plane,
    sums_by_node,
)
from xcluster.algorithms.parts.som_schedule import STEPS, first_sigma, online_nodes, radius
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.checks import check_choice, check_integer, check_number, warn
from xcluster.base.errors import BadValueError, complaint
from xcluster.base.memory import check_memory
from xcluster.base.parallel import map_rows, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics, in_tiles, iterate

Array = NDArray[Any]

TILE_ROWS, TILE_VALUES = 4096, 2**17
"""Rows measured at once, and the values that they have at least: each tile has a fixed cost."""
SETTLED = 1e-3
"""Refinement is done when the quantisation error falls by a smaller share."""

LEAST_RADIUS = 1e-6
"""In steps of the grid; beside a step its square still counts in double precision."""


def tile_rows(X: Array) -> int:
    """Return how many rows a tile has."""
    return max(TILE_VALUES // int(X.shape[1]), TILE_ROWS)


class SOM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """A self-organising map on a rectangular grid.

    Parameters
    ----------
    grid : tuple of two ints, optional
        Rows and columns of nodes. By default ceil(sqrt(sqrt(n_samples))) each way.
    training : {"batch", "online"}, default "batch"
        Batch: all samples move all nodes at once, from a start on the plane of the first two
        principal axes, so nothing is drawn at random. Online: one sample at a time, in the
        order of the rows, through MiniSom, from nodes at samples drawn at random.
    sigma : float, optional
        First radius of the Gaussian neighbourhood, in nodes; by default a quarter of the longer
        side, at least 1. Batch: shrinks geometrically to 0.3 over two thirds of the passes and
        stays. Online: step t of T has ``sigma / (1 + 2 t / T)``.
    learning_rate : float, optional
        Online only: first rate, 0.5 by default, which decays as `sigma` does.
    n_iter : int, optional
        Batch: passes over the data, 30 by default. Online: samples shown, 50,000 by default.
    random_state : int, RandomState or None, default 0
        Seed of the nodes that online training starts from.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_nodes, n_features)
        Nodes, number ``row * n_columns + column``.
    grid_ : tuple of two ints
        Rows and columns.
    labels_ : int array of shape (n_samples,)
        Number of each sample's nearest node, its best matching unit.
    bmus_ : int array of shape (n_samples, 2)
        Row and column of that node.
    counts_ : array of shape (n_nodes,)
        Samples, or their weight, of each node; 0 where it is empty.
    quantization_error_ : float
        Mean distance from a sample to its nearest node.
    topographic_error_ : float
        Share of the samples whose two nearest nodes are not among each other's eight
        neighbours; NaN for a single node.
    weight_sum_ : float
        Sum of the sample weights when the errors were measured (rows, where unweighted).
    n_iter_ : int
        Passes or steps made, passes of later refinement included.
    n_features_in_ : int
        Number of features seen by `fit`.

    Notes
    -----
    The batch map is that of [1]_. A pass is `partial_statistics` over blocks of rows and one
    `update`, so a map fitted on a sample can be refined on data of any size by
    ``xcluster.base.streaming.iterate(som, blocks, max_passes)``. Refinement stays at the last
    radius and is done when a pass over the same data lowers the quantisation error by less
    than 0.1 %.
    The nearest node is found in float32 about the middle of the map, and in float64 for rows for
    which that leaves too few digits; errors are measured in float64.

    Online training is MiniSom's [2]_. SeisGo's maps of depth profiles are
    ``SOM(training="online", sigma=0.3, learning_rate=0.1, n_iter=50_000)``; at that radius a
    neighbour moves by 0.4 % of what the winner does, so the grid is hardly ordered, which is why
    the defaults differ.

    References
    ----------
    .. [1] T. Kohonen, "Essentials of the self-organizing map", Neural Networks 37 (2013), 52-65.
    .. [2] G. Vettigli, "MiniSom: minimalistic and NumPy-based implementation of the Self
       Organizing Map" (2018).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])
    >>> som = SOM((1, 2)).fit(X)
    >>> som.counts_
    array([2., 2.])
    >>> som.u_matrix().round(1)
    array([[7., 7.]])
    >>> som.merge_nodes(2)[som.labels_]
    array([0, 0, 1, 1])
    """

    cluster_centers_: Array
    n_iter_: int

    reads_order_of: tuple[str, ...] = ()
    centers_are_prototypes = True

    def __init__(
        self,
        grid: Grid | None = None,
        *,
        training: str = "batch",
        sigma: float | None = None,
        learning_rate: float | None = None,
        n_iter: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.grid = grid
        self.training = training
        self.sigma = sigma
        self.learning_rate = learning_rate
        self.n_iter = n_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the map.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Complete rows; float32 or float64.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            A weight of 2 counts a row twice. Batch training only.

        Returns
        -------
        SOM
            This estimator.

        Raises
        ------
        ValueError
            For parameters out of range, such as a grid with a zero side; weights that are
            negative or all zero; and weights in online training.

        Warns
        -----
        UserWarning
            Where there are more nodes than samples.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=FLOATS, order="C")
        weight = self._check_weight(sample_weight, X)
        self.grid_ = default_grid(len(X)) if self.grid is None else check_grid(self.grid)
        self._warn_of_empty_nodes(len(X))
        self.check_memory(*X.shape)
        with single_threaded_blas():
            if self.training == "online":
                self._train_online(X)
            else:
                self._train_batch(ArrayBlocks(X, weight, rows=tile_rows(X)))
            self._label_and_measure(X, weight_or_ones(weight, len(X)))
        self.bmus_ = np.column_stack(np.divmod(self.labels_, self.grid_[1]))
        return self

    def _check_parameters(self) -> None:
        check_choice("training", self.training, ("batch", "online"))
        for name in ("sigma", "learning_rate"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), above=0)
        if self.n_iter is not None:
            check_integer("n_iter", self.n_iter, minimum=1)

    @property
    def takes_weights(self) -> bool:
        """Whether weights have a meaning: in batch training only."""
        return self.training == "batch"

    def _check_weight(self, sample_weight: Any, X: Array) -> Array | None:
        """Return the weights of the rows; refuse any in online training."""
        if sample_weight is not None and not self.takes_weights:
            rule = "online training shows one sample at a time and takes no weights"
            raise BadValueError("sample_weight", "...", rule, 'use training="batch"')
        return check_weight(sample_weight, X)

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse so many nodes that the distances between them do not fit in memory."""
        grid = default_grid(n_samples) if self.grid is None else check_grid(self.grid)
        n_nodes = math.prod(grid)
        what = f"distances between {n_nodes:,} nodes"
        check_memory("grid", grid, 8.0 * 2 * n_nodes**2, what, "take a smaller grid")

    def _warn_of_empty_nodes(self, n_samples: int) -> None:
        if math.prod(self.grid_) > n_samples:
            rule = f"has more nodes than there are samples ({n_samples}), so some stay empty"
            warn(complaint("grid", self.grid_, rule, "take a smaller grid"))

    def predict(self, X: Any) -> Array:
        """Return the number of each row's nearest node, an int array of shape (n_samples,)."""
        return self._nearest(new_rows(self, X))

    def transform(self, X: Any) -> Array:
        """Return each row's distance to every node, of shape (n_samples, n_nodes)."""
        X = new_rows(self, X)
        with single_threaded_blas():
            return distances(X, self.cluster_centers_)

    def u_matrix(self) -> Array:
        """Return each node's mean distance to its neighbours in the grid.

        Returns
        -------
        array of shape (n_rows, n_columns)
            In data units, over up to eight neighbours; 0 for a single node. Ridges separate
            groups of nodes.

        References
        ----------
        A. Ultsch and H. P. Siemon, "Kohonen's self organizing feature maps for exploratory data
        analysis", Proc. INNC (1990), 305-308.
        """
        check_is_fitted(self)
        return mean_distance_to_neighbours(self.cluster_centers_, self.grid_)

    def merge_nodes(self, n_clusters: int) -> Array:
        """Group the nodes into classes.

        Ward's method over the occupied nodes, each as heavy as its samples; an empty node joins
        the class of the occupied node that is nearest in the data.

        Parameters
        ----------
        n_clusters : int
            Number of classes, at most that of the occupied nodes.

        Returns
        -------
        int array of shape (n_nodes,)
            The class of each node, 0 the heaviest; ``classes[som.labels_]`` are the samples'.

        Raises
        ------
        ValueError
            Where there are fewer occupied nodes than classes.

        References
        ----------
        J. Vesanto and E. Alhoniemi, "Clustering of the self-organizing map", IEEE Trans. Neural
        Networks 11 (2000), 586-600.
        """
        check_is_fitted(self)
        n_clusters = check_integer("n_clusters", n_clusters, minimum=1)
        n_occupied = np.count_nonzero(self.counts_)
        if n_clusters > n_occupied:
            rule = f"the map has only {n_occupied} nodes with samples"
            raise BadValueError("n_clusters", n_clusters, rule, "ask for fewer classes")
        return merged_by_ward(self.cluster_centers_, self.counts_, n_clusters)

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return what a block of rows says about the nodes; changes nothing.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Complete rows; none at all will do.
        sample_weight : array of shape (n_rows,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums over the samples of each node, ``weight`` (n_nodes,) and ``first`` (n_nodes,
            n_features). After the schedule also ``distance`` and ``misplaced``, whose means are
            the quantisation and the topographic error.
        """
        measure = self._sums_and_errors if self._is_trained() else self._sums
        weight = weight_or_ones(sample_weight, len(X))
        return in_tiles(lambda X, weight: measure(X, weight, sums), X, weight, tile_rows(X))

    def update(self, statistics: Statistics) -> bool:
        """Move the nodes; return whether the map has settled.

        Errors are compared where both passes saw the same total weight, so the first pass over
        other data than before cannot end the training. Settled nodes stay where they were
        measured.
        """
        if self._is_trained():
            before, weight_before = self.quantization_error_, self.weight_sum_
            self._take_errors(statistics)
            gain = before - self.quantization_error_
            if math.isclose(weight_before, self.weight_sum_) and gain <= SETTLED * before:
                return True
        self._move_nodes(statistics)
        return False

    @property
    def streams(self) -> bool:
        """Whether the map can be trained block by block: in batch training."""
        return self.training == "batch"

    @property
    def max_iter(self) -> int:
        """The most passes that a refinement over other data should make."""
        return STEPS["batch"]

    def _move_nodes(self, statistics: Statistics) -> None:
        """Put each node at the mean of the samples, weighted by closeness in the grid."""
        reach = max(radius(self._first_sigma, self.n_iter_, self._n_steps), LEAST_RADIUS)
        closeness = np.exp(-squared_steps(self.grid_) / (2 * reach * reach))
        with single_threaded_blas():
            weight = closeness @ statistics.sums["weight"]
            first = closeness @ statistics.sums["first"]
        # Out of reach of any sample the weights underflow: such a node stays.
        reached = weight > np.finfo(np.float64).tiny
        self.cluster_centers_ = self.cluster_centers_.copy()
        self.cluster_centers_[reached] = first[reached] / weight[reached, None]
        self.n_iter_ += 1

    def _sums(self, X: Array, weight: Array, sums: Sums) -> dict[str, Array]:
        nodes = nearest_nodes(X, self.cluster_centers_)
        return sums_by_node(X, weight, nodes, len(self.cluster_centers_), sums)

    def _sums_and_errors(self, X: Array, weight: Array, sums: Sums) -> dict[str, Array]:
        return self._sums_of(X, weight, self._two_nearest(X), sums)

    def _two_nearest(self, X: Array) -> tuple[Array, Array, Array]:
        from xcluster.algorithms.kernels.distances import two_nearest

        return two_nearest(X, self.cluster_centers_)

    def _sums_of(
        self, X: Array, weight: Array, nearest: tuple[Array, Array, Array], sums: Sums
    ) -> dict[str, Array]:
        """Return the sums of rows whose two nearest nodes are known."""
        nodes, second, squares = nearest
        misplaced = ~are_neighbours(nodes, second, self.grid_)
        farthest = np.sqrt(np.square(sums.about(self.cluster_centers_)).sum(axis=-1).max())
        return sums_by_node(X, weight, nodes, len(self.cluster_centers_), sums) | {
            "distance": sums.total(weight * np.sqrt(squares), sums.heaviest * farthest),
            "misplaced": sums.total(weight * misplaced, sums.heaviest),
        }

    def _take_errors(self, statistics: Statistics) -> None:
        sums = statistics.sums
        self.counts_ = sums["weight"]
        self.weight_sum_ = float(self.counts_.sum())
        self.quantization_error_ = float(sums["distance"] / self.weight_sum_)
        single = len(self.counts_) == 1
        self.topographic_error_ = (
            math.nan if single else float(sums["misplaced"] / self.weight_sum_)
        )

    def _label_and_measure(self, X: Array, weight: Array) -> None:
        """Set the labels and the errors of the rows that were fitted."""
        tiles = map_rows(self._two_nearest, X, tile_rows(X))
        nodes, second, squares = (np.concatenate(each) for each in zip(*tiles, strict=True))
        self._take_errors(Statistics(self._sums_of(X, weight, (nodes, second, squares), PLAIN)))
        self.labels_ = nodes.astype(np.intp)

    def _train_batch(self, blocks: ArrayBlocks) -> None:
        self.cluster_centers_ = plane(blocks.X, blocks.sample_weight, self.grid_)
        self.n_iter_ = 0
        iterate(self, blocks, self._n_steps)

    def _train_online(self, X: Array) -> None:
        rate = 0.5 if self.learning_rate is None else self.learning_rate
        self.cluster_centers_ = online_nodes(
            X, self.grid_, self._first_sigma, rate, self._n_steps, self.random_state
        )
        self.n_iter_ = self._n_steps

    def _nearest(self, X: Array) -> Array:
        nearest = map_rows(lambda tile: nearest_nodes(tile, self.cluster_centers_), X, tile_rows(X))
        return np.concatenate(nearest, dtype=np.intp)

    @property
    def _first_sigma(self) -> float:
        return first_sigma(self.grid_) if self.sigma is None else self.sigma

    @property
    def _n_steps(self) -> int:
        """How many passes, or samples shown, the training takes."""
        return STEPS[self.training] if self.n_iter is None else self.n_iter

    def _is_trained(self) -> bool:
        return self.n_iter_ >= self._n_steps

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)
