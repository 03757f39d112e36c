"""Everything that runs the pieces: settings, databases, migrations, topics, Kafka, the whole platform, `psip`."""
