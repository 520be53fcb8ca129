"""From an object to a reduced space: samples, what they are, and the steps they go through."""
