"""Conformance: what a supplier's client has shown in the sandbox that it can do, before it is made live."""
