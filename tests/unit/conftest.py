"""How Hypothesis looks for examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a busy machine an example takes as long as it takes.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
