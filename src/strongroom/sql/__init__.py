"""The statements of each database, and how they are run."""
