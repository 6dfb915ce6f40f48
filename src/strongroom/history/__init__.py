"""The rows of one session."""
