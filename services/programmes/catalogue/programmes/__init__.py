"""Programmes: aims, drivers, change ideas and settings, one file each."""
