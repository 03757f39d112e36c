"""What every test shares."""

from hypothesis import settings

# A busy machine is not a wrong answer.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
