"""Rows written by few statements are the rows that were given."""

import apsw
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.many_rows import insert_rows


@given(count=st.one_of(st.integers(0, 200), st.integers(500, 1_300)))
def test_all_rows_and_no_others(count: int):
    """However many there are, each is inserted once, in order, and no empty row with them."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    rows = [(number, None if number % 3 else str(number)) for number in range(count)]

    insert_rows(connection, "INSERT INTO t (a, b)", rows)

    assert rows == connection.execute("SELECT a, b FROM t").fetchall()
