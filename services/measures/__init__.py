"""Measures: keeps every cell of every measure and shows it as a chart.

Owns        return versions as received, cells and their history (database `measures`)
Publishes   CellsChanged, SignalDetected
Listens to  MeasurePublished, TargetSet, OrganisationChanged, FeedPublished, AnnotationSet, ReturnPublished,
            SubmissionCompleted, QuarantineSettled
Does not    accept rows (ingest) or decide what is measured (programmes)
"""
