"""Keys and keyrings."""
