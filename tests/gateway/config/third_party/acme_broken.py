"""What a half-installed package looks like."""

raise RuntimeError("the loft is empty")
