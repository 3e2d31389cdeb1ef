"""Accounts: one task each, which keeps its streams and reads what they missed.

`roster` holds them all; `supervisor` is one account's task, `session` one connected
attempt, `recovery` the reading of REST, `policy` the table of what follows from
which error. The pure part: `book` (last known state; what is new in a report),
`freshness` (its rules), `coverage` (gaps), `rows` (how all that is kept on disk).
`account` joins the two. The mirror of this room is `gateway.delivery`.
"""

from gateway.accounts.roster import Roster, open_roster
from gateway.accounts.status import AccountState, AccountStatus

__all__ = ["AccountState", "AccountStatus", "Roster", "open_roster"]
