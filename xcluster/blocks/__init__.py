"""The crossing between xarray and numpy: blocks of the user's arrays as rows."""
