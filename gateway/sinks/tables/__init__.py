"""Events as rows of typed tables: one table per kind, the same in every database.

For sinks that write to SQL. `columns` says what a table holds (made from the event
model, so the two cannot drift apart), `statements` writes the SQL of a dialect, `rows`
turns a record into values. Pure: no database is named or spoken to here.
"""

from gateway.sinks.tables.columns import HEAD, RAW, TABLES, Column, ColumnType, Table
from gateway.sinks.tables.rows import Value, row_of, row_of_native
from gateway.sinks.tables.statements import (
    POSTGRES,
    SQLITE,
    Dialect,
    add_column,
    create_indexes,
    create_table,
    create_view,
    drop_view,
    insert_row,
)

__all__ = [
    "HEAD",
    "POSTGRES",
    "RAW",
    "SQLITE",
    "TABLES",
    "Column",
    "ColumnType",
    "Dialect",
    "Table",
    "Value",
    "add_column",
    "create_indexes",
    "create_table",
    "create_view",
    "drop_view",
    "insert_row",
    "row_of",
    "row_of_native",
]
