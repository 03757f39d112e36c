"""What services tell one another: events and the plain values in them, defined once, filed by publisher.

Plain data only: nothing here opens a file, a socket or a database. `rules` may import this package and nothing
else of `shared`.
"""
