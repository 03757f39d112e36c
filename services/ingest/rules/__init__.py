"""Pure rules: values in, verdicts out. No clock, no database, no network."""
