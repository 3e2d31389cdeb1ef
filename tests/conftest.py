"""What every test shares."""

import os

from hypothesis import settings

# A loaded machine is no defect: hypothesis looks for wrong answers, not slow ones. In
# CI it tries the same examples each time, so that a change is judged by what it changed.
settings.register_profile("gateway", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("gateway")
