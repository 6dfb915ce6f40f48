"""Bytes only: rows, and the links and heads of a ledger."""
