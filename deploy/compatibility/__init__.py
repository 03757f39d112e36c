"""Whether what the platform promises now keeps what its last release promised: the gate of `make check`."""
