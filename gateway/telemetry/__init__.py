"""What the gateway says about itself.

`happenings` (one named happening = one log line + one counter), `metrics` (plain
numbers on the hot path, Prometheus text at the scrape), `logs` (structlog set up
for a terminal or for journald) and `redaction` (the last net under secrets).
"""
