"""What the house asks of an adapter and of a sink, and what it hands to each.

`told` (what a venue said), `adapter`, `sink`, and `values` (durations, sizes and
secrets as they stand in a configuration). A third party implements these and
nothing else; `docs/extending.md` walks through one of each.
"""
