"""Rows that several estimators are tested on."""

import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="session")
def wine():
    """178 wines by 13 measurements, each of unit variance."""
    return StandardScaler().fit_transform(load_wine().data)
