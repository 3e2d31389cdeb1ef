"""Pretend exchanges as servers: a product to test consumers with, and our witness.

The engine lives here: `simulator` (open one), `scenario` and `steps` (what may be
scripted), `dialect` (what a venue has to bring), `truth` (what really happened).
The dialects live with their adapters but share no code with them: both are
written from the exchange's documents, so that a misreading in one shows up as a
disagreement with the other.
"""

from gateway.simulator.dialect import Dialect
from gateway.simulator.lookup import load_dialect
from gateway.simulator.scenario import Scenario, load_scenario
from gateway.simulator.simulator import QUIET, Simulator, open_simulator
from gateway.simulator.truth import Fact, FactKind, Fate, Truth

__all__ = [
    "QUIET",
    "Dialect",
    "Fact",
    "FactKind",
    "Fate",
    "Scenario",
    "Simulator",
    "Truth",
    "load_dialect",
    "load_scenario",
    "open_simulator",
]
