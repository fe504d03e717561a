"""Figures of the service in Prometheus' text format."""

from __future__ import annotations

from typing import Any

from edge_sr.integrations.service.work.admission import Admission
from edge_sr.integrations.service.work.pool import NetworkPool
from edge_sr.machine.optional import require
from edge_sr.version import __version__

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600, 3600)


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self, admission: Admission, networks: NetworkPool) -> None:
        prometheus: Any = require("prometheus_client", "edge-sr serve")
        self._prometheus = prometheus
        self._registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        about = prometheus.Gauge(
            "edge_sr_build_info", "The version that runs.", ["version"], registry=registry
        )
        about.labels(__version__).set(1)
        self.requests = prometheus.Counter(
            "edge_sr_requests",
            "Answers by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.seconds = prometheus.Histogram(
            "edge_sr_work_seconds",
            "Work on an upload, without waiting.",
            ["kind"],
            registry=registry,
            buckets=SECONDS,
        )
        self.frames = prometheus.Counter(
            "edge_sr_frames", "Pictures and frames upscaled.", ["kind"], registry=registry
        )
        self.received = prometheus.Counter("edge_sr_received_bytes", "Bytes of uploads.", registry=registry)
        self.sent = prometheus.Counter("edge_sr_sent_bytes", "Bytes of results.", registry=registry)
        self.gone = prometheus.Counter(
            "edge_sr_clients_gone", "Clients that went before their answer was whole.", registry=registry
        )
        self._gauge(
            "edge_sr_inside",
            "Requests that upload, wait, work or are answered.",
            lambda: admission.inside,
        )
        self._gauge("edge_sr_working", "Uploads that are worked on.", lambda: admission.working)
        self._gauge("edge_sr_networks", "Networks that are open.", lambda: len(networks))

    def _gauge(self, name: str, text: str, read: Any) -> None:
        self._prometheus.Gauge(name, text, registry=self._registry).set_function(read)

    def text(self) -> tuple[bytes, str]:
        """The figures now, and their media type."""
        return self._prometheus.generate_latest(self._registry), self._prometheus.CONTENT_TYPE_LATEST
