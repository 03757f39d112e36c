"""Calls to the outside: to addresses that others chose, and so never to one that only we can reach."""
