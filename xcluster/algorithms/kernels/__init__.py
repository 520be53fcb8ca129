"""Compiled kernels, one file a subject; imported inside the functions that use them."""
