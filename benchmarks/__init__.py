"""The figures of the platform, each beside a limit measured in the same run. `make bench` runs them all."""
