"""Exchanges: each folder turns one venue's frames and REST rows into the house's events.

No adapter knows another, and the house knows none: it finds them by the entry
points of group ``gateway.adapters``. `README.md` says, step by step, how to add one.
"""
