"""Compiled kernels, one file per subject; imported where they are used, as numba loads slowly."""
