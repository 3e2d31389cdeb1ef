"""The typed tables that SQL sinks share."""

import msgspec

from gateway.contracts.sink import Record
from gateway.events.model import BODY_TYPES, Kind
from gateway.sinks.tables import POSTGRES, TABLES, ColumnType, create_table, row_of
from tests.contracts.sink_suite import extreme_events, item
from tests.doubles.events import fill_event


def test_every_kind_has_a_table_with_all_its_fields():
    """No field of the event model is left out."""
    assert set(Kind) == set(TABLES)
    for kind, body in BODY_TYPES.items():
        assert set(body.__struct_fields__) <= set(TABLES[kind].names)
        assert len(set(TABLES[kind].names)) == len(TABLES[kind].names)


def test_types_are_those_of_the_model():
    """Decimals, times, flags and counts are told apart from text."""
    types = {column.name: column.type for column in TABLES[Kind.ORDER].columns}
    assert (ColumnType.DECIMAL, ColumnType.TIME, ColumnType.BOOLEAN, ColumnType.TEXT) == (
        types["price"],
        types["created_time"],
        types["final"],
        types["status"],
    )
    assert '"price" numeric' in create_table(TABLES[Kind.ORDER], POSTGRES)
    assert '"final" boolean NOT NULL' in create_table(TABLES[Kind.ORDER], POSTGRES)


def test_a_row_has_a_value_for_each_column():
    """Whatever the event holds; `raw` only where it is asked for."""
    for seq, event in enumerate(extreme_events(), start=1):
        record = item(seq, event).record
        table = TABLES[record.kind]
        row = dict(zip(table.names, row_of(record, include_raw=True), strict=True))
        assert (event.id, seq, event.raw) == (row["id"], row["seq"], row["raw"])
        body = msgspec.to_builtins(event.body)
        assert body == {name: row[name] for name in body}
        assert row_of(record, include_raw=False)[-1] is None


def test_a_field_that_was_not_journalled_yet_is_empty():
    """A record that an older gateway wrote makes a row all the same."""
    record = item(1, fill_event(1)).record
    older = msgspec.structs.replace(record, tail=record.tail.replace(b',"derived":false', b""))
    assert isinstance(older, Record)
    assert older.tail != record.tail

    row = dict(zip(TABLES[Kind.FILL].names, row_of(older, include_raw=False), strict=True))
    assert row["derived"] is None
