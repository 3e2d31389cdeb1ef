"""Which event ids the journal holds."""

import apsw


class HeldIds:
    """Answers for the writer whether an id is already journalled."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def held(self, event_id: bytes) -> bool:
        """True when a record with this id is kept."""
        row = self._connection.execute("SELECT 1 FROM events WHERE id = ?", (event_id,)).fetchone()
        return row is not None
