"""What the measures service is told when it is built."""

from shared.settings import ServiceSettings


class MeasuresSettings(ServiceSettings):
    """Settings of measures."""

    service: str = "measures"
