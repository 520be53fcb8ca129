"""What any room needs: no xarray, no clustering."""
