"""Shared by sessions and stores; internal."""
