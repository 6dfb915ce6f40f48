"""Many sessions in one pair of tables."""
