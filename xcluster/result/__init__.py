"""What can be asked about a result: one module per subject."""
