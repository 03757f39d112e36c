"""Gateway: the one public door. It says who is asking and whether they may, and carries the request to its service.

Owns        clients, their secrets and keys, access tokens, the audit, live events, webhooks (database `gateway`)
Publishes   nothing
Listens to  SubmissionCompleted, CellsChanged, SignalDetected, OrganisationChanged
Does not    look inside a body, rewrite a path, or decide which organisations a caller may see (the services do)
"""
