"""What all workers of a gateway share."""

from pathlib import Path

import msgspec

from gateway.clock import Clock
from gateway.journal import Journal
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The house around a worker."""

    journal: Journal
    clock: Clock
    metrics: Metrics
    state_dir: Path
    redactor: Redactor
    """Knows the secrets of every sink: the parent of what each of them is handed."""
