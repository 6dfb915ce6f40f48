"""Verification of links and heads, and the witness."""
