"""One hour of one kind of one account as a Parquet file. Blocks.

A file is written whole, under another name, fsynced, and then put in the place of the old
one: a reader sees the old or the new one, never half of it.
"""

import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.events.model import Kind
from gateway.events.times import Timestamp, to_nanoseconds
from gateway.sinks.extras import load_client
from gateway.sinks.parquet.staging import Part
from gateway.sinks.tables import TABLES, Column, ColumnType, row_of_native

MODE: Final = 0o640
"""Events tell positions and balances: nobody but the group may read along."""
PRECISION: Final = 38
"""The most digits that DuckDB, polars and pandas all read exactly."""
SCALE: Final = 18
"""Decimals: what the venues themselves use. It leaves 20 digits before the point."""
UNFIT: Final = "unfit"
"""The column that keeps, as JSON, numbers with more digits than a decimal has."""
_IN_PATH: Final = frozenset({"account"})
"""Columns that the names of the folders carry; hive-style readers add them again."""


class Files:
    """The files below a folder: ``kind=fill/account=lbank-main/2026-11-22T13.parquet``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrow: Any = load_client("pyarrow", extra="parquet")
        self._parquet: Any = load_client("pyarrow.parquet", extra="parquet")
        self._schemas = {kind: self._schema(kind) for kind in Kind}

    def write(self, part: Part, portions: Iterable[Sequence[bytes]]) -> Path:
        """Write a file that holds what it held, and the events of `portions` once each."""
        path = self._path(part)
        self._make_folder(path.parent)
        fresh = path.with_name(f".{path.name}.new")
        with fresh.open("wb") as file:
            fresh.chmod(MODE)
            self._fill(file, path, part.kind, portions)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        _sync(path.parent)
        return path

    def _path(self, part: Part) -> Path:
        account = quote(part.account, safe="")
        folder = self._folder / f"kind={part.kind.value}" / f"account={account}"
        return folder / f"{part.hour}.parquet"

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(parents=True)
            _sync(folder.parent)
            _sync(self._folder)

    def _fill(self, file: Any, old: Path, kind: Kind, portions: Iterable[Sequence[bytes]]) -> None:
        schema = self._schemas[kind]
        held: set[str] = set()
        with self._parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            if old.exists():
                with self._parquet.ParquetFile(old) as source:
                    for batch in source.iter_batches():
                        held.update(batch.column("id").to_pylist())
                        writer.write_table(self._current(batch, schema))
            for events in portions:
                rows = [row_of_native(kind, event) for event in events]
                table = self._table(kind, [row for row in rows if row[0] not in held])
                writer.write_table(table)

    def _current(self, batch: Any, schema: Any) -> Any:
        """What an older gateway wrote, with the columns that it did not know yet."""
        known = {name: batch.column(name) for name in batch.schema.names}
        columns = [
            known[field.name]
            if field.name in known
            else self._arrow.nulls(batch.num_rows, field.type)
            for field in schema
        ]
        return self._arrow.Table.from_arrays(columns, schema=schema)

    def _table(self, kind: Kind, rows: Sequence[Sequence[Any]]) -> Any:
        columns = list(zip(*rows, strict=True)) or [()] * len(TABLES[kind].columns)
        unfit: list[dict[str, str]] = [{} for _ in rows]
        arrays = []
        for column, values in zip(TABLES[kind].columns, columns, strict=True):
            if column.name in _IN_PATH:
                continue
            arrays.append(self._arrow.array(_values(column, values, unfit), self._type(column)))
        texts = [msgspec.json.encode(one).decode() if one else None for one in unfit]
        arrays.append(self._arrow.array(texts, self._arrow.string()))
        return self._arrow.Table.from_arrays(arrays, schema=self._schemas[kind])

    def _schema(self, kind: Kind) -> Any:
        fields = [
            self._arrow.field(column.name, self._type(column))
            for column in TABLES[kind].columns
            if column.name not in _IN_PATH
        ]
        return self._arrow.schema([*fields, self._arrow.field(UNFIT, self._arrow.string())])

    def _type(self, column: Column) -> Any:
        match column.type:
            case ColumnType.TEXT:
                return self._arrow.string()
            case ColumnType.DECIMAL:
                return self._arrow.decimal128(PRECISION, SCALE)
            case ColumnType.INTEGER:
                return self._arrow.int64()
            case ColumnType.BOOLEAN:
                return self._arrow.bool_()
            case ColumnType.TIME:
                return self._arrow.timestamp("us", tz="UTC")


def _values(column: Column, texts: Sequence[Any], unfit: Sequence[dict[str, str]]) -> Sequence[Any]:
    """A column's values, as Arrow wants them."""
    match column.type:
        case ColumnType.DECIMAL:
            return [_decimal(column, text, unfit[at]) for at, text in enumerate(texts)]
        case ColumnType.TIME:
            return [None if text is None else _epoch_us(text) for text in texts]
        case _:
            return texts


def _decimal(column: Column, text: str | None, unfit: dict[str, str]) -> Decimal | None:
    """The number, or None after noting one that no decimal of ours holds."""
    if text is None:
        return None
    whole, _, fraction = text.lstrip("-").partition(".")
    if len(whole) > PRECISION - SCALE or len(fraction.rstrip("0")) > SCALE:
        unfit[column.name] = text
        return None
    return Decimal(f"{text.partition('.')[0]}.{fraction[:SCALE]}")


def _epoch_us(text: str) -> int:
    return to_nanoseconds(Timestamp(text)) // 1000


def _sync(folder: Path) -> None:
    """Make new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
