"""What a fit tells: labels, centres and the rest, on the user's own coordinates."""
