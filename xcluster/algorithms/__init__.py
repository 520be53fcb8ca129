"""Estimators with scikit-learn's interface, on numpy arrays; none of them knows xarray."""
