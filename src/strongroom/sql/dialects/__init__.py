"""The databases, one folder each."""
