"""Between xarray and numpy: the user's arrays become blocks of rows, and results go back."""
