"""How much the service does and how long it takes, counted for Prometheus. Nothing here says who asked for what."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.webhooks.cursors import Lag
from service.webhooks.subscriptions import State

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The figures of one application."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        every: dict[str, Any] = {"registry": self._registry}
        timed = every | {"buckets": _SECONDS}
        self._requests = Counter("registry_requests", "Requests answered.", ("method", "route", "status"), **every)
        self._latency = Histogram("registry_request_seconds", "How long an answer took.", ("route",), **timed)
        self.appends = Histogram(
            "registry_append_seconds", "From a write's arrival until it was durable, or refused.", **timed
        )
        self.pinned = Counter(
            "registry_pinned_answers", "Answers given from memory, as they can never change.", **every
        )
        self.limited = Counter("registry_limited_requests", "Requests refused as too many.", ("quota",), **every)
        self._head = Gauge("registry_head_position", "The last position of the log.", **every)
        self._deliveries = Counter(
            "registry_webhook_deliveries",
            "Attempts to deliver to webhooks, by what came of them.",
            ("outcome",),
            **every,
        )
        self._webhooks = Gauge("registry_webhooks", "Webhooks.", ("state",), **every)
        self._lag = Gauge(
            "registry_webhook_lag_positions", "How far the slowest active webhook is behind the head.", **every
        )
        self._lag_seconds = Gauge(
            "registry_webhook_lag_seconds", "For how long an event has been waiting for a webhook.", **every
        )
        self._streams = Gauge("registry_open_streams", "How many listen to the log, live.", **every)

        self._of: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # finding them costs more than counting

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered: by its route's template, never by its address."""
        found = self._of.get((method, route, status))
        if found is None:
            found = self._requests.labels(method, route, status), self._latency.labels(route)
            self._of[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def count_delivery(self, outcome: str) -> None:
        """An attempt to deliver to a webhook has ended."""
        self._deliveries.labels(outcome).inc()

    def render(self, *, head: int, streams: int, lag: Lag) -> bytes:
        """All figures, in the format that Prometheus reads."""
        for state in State:
            self._webhooks.labels(state).set(getattr(lag, state))
        self._lag.set(lag.positions)
        self._lag_seconds.set(lag.seconds)
        self._head.set(head)
        self._streams.set(streams)
        return generate_latest(self._registry)
