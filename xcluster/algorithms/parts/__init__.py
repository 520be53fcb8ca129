"""Machinery of the estimators, on numpy."""
