"""Facts between services: written with the change (outbox), carried at least once (bus), applied once (inbox)."""
