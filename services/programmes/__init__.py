"""Programmes: the registry of what is being improved, by whom, towards what.

Owns        programmes, measures, targets, feeds, code lists, organisations (database `programmes`)
Publishes   ProgrammePublished, MeasurePublished, TargetSet, FeedPublished, OrganisationChanged, AnnotationSet,
            EnrolmentChanged
Listens to  nothing
Does not    accept rows (ingest) or compute figures (measures)
"""
