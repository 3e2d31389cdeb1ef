"""Which faults are in force right now."""

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import trio

from gateway.simulator.steps import Lasting, RestFault, Step

FaultT = TypeVar("FaultT", bound=Lasting)
RestFaultT = TypeVar("RestFaultT", bound=RestFault)


class Faults:
    """The lasting faults that have begun and not ended, by Trio's clock."""

    def __init__(self, rng: random.Random) -> None:
        self.any = False
        """False while nothing at all is wrong: pushes then take the short way."""
        self.struck: Counter[str] = Counter()
        """How often each kind of fault met a connection, push or request."""
        self._rng = rng
        self._running: list[tuple[Lasting, float]] = []

    def begin(self, step: Lasting) -> None:
        """Put a fault in force."""
        lasting = float("inf") if step.lasting is None else step.lasting
        self._running.append((step, trio.current_time() + lasting))
        self.any = True

    def end(self) -> None:
        """End every fault now."""
        self._running.clear()
        self.any = False

    def note(self, step: Step, times: int = 1) -> None:
        """Count that a fault really met something."""
        self.struck[str(step.__struct_config__.tag)] += times

    def find(self, kind: type[FaultT], account: int | None) -> FaultT | None:
        """The newest fault of that kind which concerns the account."""
        return self._find(
            kind, lambda step: step.account is None or account is None or step.account == account
        )

    def find_rest(self, kind: type[RestFaultT], path: str) -> RestFaultT | None:
        """The newest fault of that kind which concerns this REST path."""
        return self._find(kind, lambda step: step.path in path)

    def strikes(self, share: float) -> bool:
        """Throw the dice for a fault that concerns only a share of the pushes."""
        return share >= 1 or self._rng.random() < share

    def _find(self, kind: type[FaultT], concerns: Callable[[FaultT], bool]) -> FaultT | None:
        if not self.any:
            return None
        now = trio.current_time()
        self._running = [(step, until) for step, until in self._running if until > now]
        self.any = bool(self._running)
        for step, _ in reversed(self._running):
            if isinstance(step, kind) and concerns(step):
                self.note(step)
                return step
        return None
