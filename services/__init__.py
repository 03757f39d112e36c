"""The three services. Each has the same rooms and its own database; none imports another."""
