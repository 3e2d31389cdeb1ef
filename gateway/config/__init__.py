"""`gateway.yaml` → settings, or mistakes with file, line and column.

`load_config` is the way in and `Config` what comes out. Inside: `document` (YAML
to a tree with places), `shapes` (what a settings field wants), `scalars` (how
durations, sizes and numbers are written), `reading` (tree + shapes → values),
`members` (one account, one sink), `load` (all of it together), `secrets`
(reading what is referred to), `schema` and `reference` (the same shapes as JSON
Schema and as text for people). Each part of the house defines its own settings;
this folder only assembles them.
"""

from gateway.config.load import default_path, load_config
from gateway.config.mistakes import InvalidConfiguration, Mistake
from gateway.config.settings import Config

__all__ = ["Config", "InvalidConfiguration", "Mistake", "default_path", "load_config"]
