"""What a user speaks: the accessor, and the public classes."""
