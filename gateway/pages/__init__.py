"""Composites: all that a page shows in one answer, its parts fetched at once from the services."""
