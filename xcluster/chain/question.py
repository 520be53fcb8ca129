"""What a fit asks of its samples, be they of one object or of several pooled ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering
    from xcluster.grid.layout import Layout


class Question(ABC):
    """Samples that can be clustered."""

    @property
    @abstractmethod
    def _layout(self) -> Layout:
        """How samples and features lie in the data."""

    @property
    def _ready(self) -> Self:
        """The samples with what has to be known of the data before rows are read."""
        return self

    def _answer(self, clustering: Clustering) -> Any:
        """Return what a fit gives: one `Clustering` where there is one object."""
        return clustering


def layout_of(question: Question) -> Layout:
    """Return how samples and features lie in the data."""
    return question._layout


def ready(question: Question) -> Any:
    """Return the samples with what has to be known of the data before rows are read."""
    return question._ready


def answer(question: Question, clustering: Clustering) -> Any:
    """Return what the user gets of a fit to the samples."""
    return question._answer(clustering)
