"""From `VenueSpec.simulator` to the dialect it names."""

from importlib import import_module

from gateway.contracts.adapter import VenueSpec
from gateway.errors import ConfigurationError
from gateway.simulator.dialect import Dialect


def load_dialect(spec: VenueSpec) -> Dialect:
    """Import a venue's dialect. Raises `ConfigurationError` when there is none."""
    if spec.simulator is None:
        raise ConfigurationError(f"{spec.name} has no simulator")
    module, _, attribute = spec.simulator.partition(":")
    try:
        dialect: Dialect = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the simulator of {spec.name} cannot be used: {error}") from None
    return dialect
