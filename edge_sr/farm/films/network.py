"""The network that a worker has open: tasks that follow one another share it."""

from __future__ import annotations

from edge_sr.upscale.run.network_choice import KeptNetwork

worker_network = KeptNetwork()
