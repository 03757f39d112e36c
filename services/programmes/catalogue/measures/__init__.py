"""Measures: how each is computed, one file for each programme. What they count in words is in measures.csv."""
