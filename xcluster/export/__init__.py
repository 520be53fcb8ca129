"""Results as files and objects of other programs."""
