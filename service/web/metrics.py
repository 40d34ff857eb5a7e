"""How much the service does and how long it takes, counted for Prometheus. Nothing here says who asked for what."""

import time
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.webhooks.cursors import Lag
from service.webhooks.subscriptions import State

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one application."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        every: dict[str, Any] = {"registry": self._registry}
        timed = every | {"buckets": _SECONDS}
        self.requests = Counter("registry_requests", "Requests answered.", ("method", "route", "status"), **every)
        self.latency = Histogram("registry_request_seconds", "How long an answer took.", ("route",), **timed)
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


class Measured:
    """Counts every request by its route's template, never by its address."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, and counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - began)
