"""Ingest: accepts rows from trusts and care homes and turns the good ones into returns.

Owns        submissions, receipts, faults, returns and their versions (database `ingest`)
Publishes   ReturnPublished, SubmissionCompleted, QuarantineSettled
Listens to  FeedPublished, OrganisationChanged, MeasurePublished
Does not    decide what a feed or measure is (programmes) or compute figures (measures)
"""
