"""The handlers: one file per group of routes, each a class that lists its own."""
