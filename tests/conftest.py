"""How hard the property tests try: a little while writing, more in CI, long at night."""

import os

from hypothesis import settings

# No deadlines: on two busy cores they measure the neighbours.
settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=200, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=5000, print_blob=True)

default = "ci" if "CI" in os.environ else "dev"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))
