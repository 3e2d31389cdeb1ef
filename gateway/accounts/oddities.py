"""Frames that were not understood, counted by their text.

The count is part of the id: the same text sent three times is three events, and
a restart does not begin to count anew.
"""

from hashlib import blake2b
from typing import Final

from gateway.accounts.news import Heard, News, Scribe, Source
from gateway.accounts.rows import Rows, Section, StreamKey, load_section, load_stream
from gateway.contracts.told import ToldUnrecognized
from gateway.events.model import Kind, Unrecognized

TEXTS_KEPT: Final = 20_000
"""Distinct unrecognized texts counted before the counts start a new generation."""


class Oddities:
    """How often each text was sent."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._texts: dict[str, int] = {}
        """By digest of the text."""
        self._generation = 0

    def load(self, rows: Rows) -> None:
        """Take over what an earlier run counted."""
        self._texts = load_section(rows, Section.UNRECOGNIZED)
        self._generation = load_stream(rows, StreamKey.GENERATION, int) or 0

    def apply(self, told: ToldUnrecognized, heard: Heard, news: News) -> None:
        """Take a frame that was not understood; nothing is thrown away."""
        text = self._scribe.redactor.redact(told.frame)
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        if key not in self._texts and len(self._texts) >= TEXTS_KEPT:
            self._start_generation(news)
        count = self._texts.get(key, 0) + 1
        self._texts[key] = count
        self._scribe.change(news, Section.UNRECOGNIZED, key, count)
        facts = (key, str(count), str(self._generation))
        body = Unrecognized(reason=told.reason, frame=text, encoding=told.encoding)
        news.unrecognized.append(told.reason)
        event_id = self._scribe.id_of(Kind.UNRECOGNIZED, facts)
        self._scribe.emit(news, heard, event_id, body, Source(told.frame))

    def _start_generation(self, news: News) -> None:
        for key in self._texts:
            self._scribe.change(news, Section.UNRECOGNIZED, key, None)
        self._texts.clear()
        self._generation += 1
        self._scribe.change(news, Section.STREAM, StreamKey.GENERATION.value, self._generation)
