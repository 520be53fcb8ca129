"""What is asked: which samples, and which steps they go through before they are clustered."""
