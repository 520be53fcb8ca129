"""Figures of labels, centres and criteria, from plain DataArrays to artists.

A label map is a DataArray of floats (NaN = no data, -1 = unclassified) with the CF attributes
``flag_values`` and ``flag_meanings``, and ``flag_colors`` in the same order. No function here
shows a figure or changes a global setting.
"""
