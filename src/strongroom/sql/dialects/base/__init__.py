"""The statements that every database shares."""
