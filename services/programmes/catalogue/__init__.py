"""The national catalogue as reviewed text: tables (CSV), feeds, measures, programmes and targets (TOML)."""
