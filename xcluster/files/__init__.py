"""Results on disk: written whole, checked before use, nothing pickled."""
