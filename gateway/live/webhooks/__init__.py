"""Webhooks: events carried to addresses that clients have registered, signed, tried again, and parked at last."""
