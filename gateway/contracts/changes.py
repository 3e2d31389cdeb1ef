"""What a new configuration changes, by name: for whoever runs what is configured."""

from collections.abc import Mapping


def changes_between(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, list[str]]:
    """Names by what became of them: added, removed, changed, unchanged."""
    return {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "unchanged": [name for name in new if name in old and new[name] == old[name]],
    }
