"""Scenario files: who trades how lively, and which disaster strikes when.

    title: The stream is cut while orders fill
    venue: lbank
    seed: 7
    accounts: 2
    rate: 5
    switches: {push_form: "2019"}
    timeline:
      - {at: 10s, do: drop}
      - {at: 20s, do: silence, for: 40s, account: 0}

A mistake names file, line and column. Steps stand in `gateway.simulator.steps`,
switches in each venue's dialect.
"""

import difflib
import re
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import msgspec
import yaml

from gateway.contracts.values import Seconds
from gateway.errors import ConfigurationError
from gateway.simulator.steps import AnyStep

SwitchesT = TypeVar("SwitchesT", bound=msgspec.Struct)

_MESSAGE_PATH: Final = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_PATH_PART: Final = re.compile(r"\.([A-Za-z0-9_]+)|\[([0-9]+)\]")


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one run of a simulator is like."""

    title: str = ""
    venue: str | None = None
    """The only venue this makes sense for."""
    seed: int = 1
    """The same seed gives the same market."""
    accounts: int = 2
    rate: float = 1.0
    """How often per second and account something happens; 0 is a standstill."""
    rate_limits: bool = True
    """Refuse requests beyond the documented limits."""
    deflate: bool = False
    """Compress pushes for clients that offer permessage-deflate."""
    answer_pings: bool = True
    """Answer protocol pings (RFC 6455); LBank is known not to do so reliably."""
    switches: dict[str, Any] = {}
    """What the documents leave open, set one way or the other."""
    timeline: tuple[AnyStep, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.accounts <= 1000:
            raise ValueError("accounts: between 1 and 1000")
        if not 0 <= self.rate <= 10_000:
            raise ValueError("rate: between 0 and 10000")


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises `ConfigurationError` that says where and what."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from None
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str = "scenario") -> Scenario:
    """Read a scenario from YAML text; `name` stands in messages."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if node is None or not isinstance(data, dict):
        raise ConfigurationError(f"{name}:1:1: a scenario is a mapping, as in docs/scenarios")
    try:
        return msgspec.convert(data, Scenario, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_locate(str(error), node, name)) from None


def convert_step(data: Any) -> AnyStep:
    """Read one step, as `POST /_sim/do` sends it. Raises `msgspec.ValidationError`."""
    step: AnyStep = msgspec.convert(data, AnyStep, dec_hook=_read_value)
    return step


def convert_switches(data: dict[str, Any], kind: type[SwitchesT]) -> SwitchesT:
    """Read a venue's switches. Raises `ConfigurationError` naming the switch."""
    try:
        return msgspec.convert(data, kind, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        message, path = _split(str(error))
        known = ", ".join(kind.__struct_fields__)
        raise ConfigurationError(f"switches{path}: {message} (switches: {known})") from None


def change_switch(switches: SwitchesT, name: str, value: object) -> SwitchesT:
    """The same switches with one set otherwise. Raises `ConfigurationError`."""
    return convert_switches({**msgspec.structs.asdict(switches), name: value}, type(switches))


def _read_value(kind: type, value: object) -> object:
    if kind is Seconds:
        return _read_seconds(value)
    raise NotImplementedError(kind)


def _read_seconds(value: object) -> Seconds:
    """A duration, which may be negative here, or a bare number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Seconds(value)
    text = value if isinstance(value, str) else ""
    seconds = Seconds.read(text.removeprefix("-"))
    if seconds is None:
        raise ValueError(f"not a duration such as 250ms, 30s, 5m or 1h: {value!r}")
    return Seconds(-seconds) if text.startswith("-") else seconds


def _locate(error: str, node: yaml.Node, name: str) -> str:
    """Put the position of the culprit before the message."""
    message, path = _split(error)
    for key, index in _PATH_PART.findall(path):
        node = _child(node, key, index) or node
    mark = node.start_mark
    where = f" {path.lstrip('.')}:" if path else ""
    return f"{name}:{mark.line + 1}:{mark.column + 1}:{where} {message}{_hint(message, path)}"


def _split(error: str) -> tuple[str, str]:
    match = _MESSAGE_PATH.search(error)
    return (error, "") if match is None else (error[: match.start()], match[1])


def _child(node: yaml.Node, key: str, index: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode) and key:
        return next((value for word, value in node.value if word.value == key), None)
    if isinstance(node, yaml.SequenceNode) and index:
        value: yaml.Node = node.value[int(index)]
        return value
    return None


def _hint(message: str, path: str) -> str:
    words = [step.__struct_config__.tag for step in get_args(AnyStep)]
    if not path.endswith(".do"):
        return ""
    given = message.partition("'")[2].rstrip("'")
    close = difflib.get_close_matches(given, [str(word) for word in words], n=1)
    return f' (did you mean "{close[0]}"?)' if close else f" (one of {', '.join(map(str, words))})"
