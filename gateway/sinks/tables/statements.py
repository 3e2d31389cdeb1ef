"""The SQL of the tables, in the dialect of a database.

Names come from the event model and never from outside; they are quoted because some of
them (`type`, `value`) mean something in SQL.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.sinks.tables.columns import Column, ColumnType, Table


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between databases."""

    types: Mapping[ColumnType, str]


SQLITE: Final = Dialect(
    types={
        ColumnType.TEXT: "TEXT",
        # SQLite's REAL is a binary float, and NUMERIC turns what looks like a number into
        # one: 0.1 and 18 decimals survive only as text. CAST(price AS REAL) is the reader's
        # own choice; https://sqlite.org/floatingpoint.html.
        ColumnType.DECIMAL: "TEXT",
        ColumnType.INTEGER: "INTEGER",
        ColumnType.BOOLEAN: "INTEGER",
        ColumnType.TIME: "TEXT",
        ColumnType.JSON: "TEXT",
    },
)

POSTGRES: Final = Dialect(
    types={
        ColumnType.TEXT: "text",
        ColumnType.DECIMAL: "numeric",
        ColumnType.INTEGER: "bigint",
        ColumnType.BOOLEAN: "boolean",
        ColumnType.TIME: "timestamptz",
        ColumnType.JSON: "jsonb",
    },
)


def create_table(table: Table, dialect: Dialect) -> str:
    """The table, unless it is there."""
    columns = ",\n  ".join(_definition(column, dialect) for column in table.columns)
    return f'CREATE TABLE IF NOT EXISTS "{table.name}" (\n  {columns},\n  PRIMARY KEY ("id")\n)'


def create_indexes(table: Table) -> list[str]:
    """For the view of last states, and for who asks for a time of day."""
    looked_up_by = _listed((*table.looked_up_by, "seq"))
    return [
        f'CREATE INDEX IF NOT EXISTS "{table.name}_by_subject" ON "{table.name}" ({looked_up_by})',
        f'CREATE INDEX IF NOT EXISTS "{table.name}_by_time" ON "{table.name}" ("received_time")',
    ]


def add_column(table: Table, column: Column, dialect: Dialect) -> str:
    """A column that a table of an older gateway lacks: empty in its old rows."""
    return f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {dialect.types[column.type]}'


def create_view(table: Table) -> str:
    """The last state of each subject: the row behind which `seq` knows no later one."""
    assert table.subject is not None
    same = " AND ".join(f'later."{name}" = one."{name}"' for name in table.subject)
    columns = ", ".join(f'one."{name}"' for name in table.names)
    return (
        f'CREATE VIEW "{table.view}" AS\n'  # noqa: S608 (names of the event model)
        f'  SELECT {columns} FROM "{table.name}" AS one\n'
        f'  WHERE NOT EXISTS (\n    SELECT 1 FROM "{table.name}" AS later\n'
        f'    WHERE {same} AND later."seq" > one."seq"\n  )'
    )


def drop_view(table: Table) -> str:
    """Away with the view, before it is made anew over more columns."""
    return f'DROP VIEW IF EXISTS "{table.view}"'


def insert_row(table: Table) -> str:
    """A row, as `row_of` makes it; nothing happens where its id is there already."""
    values = ", ".join("?" * len(table.columns))
    return (
        f'INSERT INTO "{table.name}" ({_listed(table.names)}) VALUES ({values})'  # noqa: S608 (the same)
        ' ON CONFLICT ("id") DO NOTHING'
    )


def _definition(column: Column, dialect: Dialect) -> str:
    constraint = "" if column.nullable else " NOT NULL"
    return f'"{column.name}" {dialect.types[column.type]}{constraint}'


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
