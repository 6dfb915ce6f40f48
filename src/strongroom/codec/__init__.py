"""From an item to its row and back, without waiting and without SQL."""
