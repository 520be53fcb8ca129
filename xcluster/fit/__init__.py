"""From a question to a fitted result."""
