"""Client libraries of sinks: imported when a sink is configured, and not before."""

import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

from gateway.errors import ExtraMissing


def load_client(module: str, *, extra: str) -> ModuleType:
    """The client library of a sink. Raises `ExtraMissing` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        # A package that is there but does not load (a missing shared library) says why itself.
        raise ExtraMissing(f"{_advice(module, extra)} ({error})") from error


def missing_extra(module: str, *, extra: str) -> Iterator[tuple[str, str]]:
    """A mistake of the configuration when the library of `extra` is not installed."""
    if importlib.util.find_spec(module) is None:
        yield "type", _advice(module, extra)


def _advice(module: str, extra: str) -> str:
    return f"needs {module}: pip install 'exchange-event-gateway[{extra}]'"
