"""From a question to a fitted answer."""
