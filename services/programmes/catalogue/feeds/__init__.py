"""Feeds: the agreed shapes of rows, one file each."""
