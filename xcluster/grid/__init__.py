"""Where samples and features lie in the user's arrays; values are not read here."""
