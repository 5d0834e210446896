"""For all tests: Hypothesis judges what comes out, and not how long it took on a machine that others use as well."""

from hypothesis import settings

settings.register_profile("anden", deadline=None)
settings.load_profile("anden")
