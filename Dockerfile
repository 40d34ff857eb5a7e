# The service in a container; ./run makes the same environment here as in a clone.
FROM python:3.13-slim-trixie

RUN useradd --create-home --uid 10001 registry \
    && install -d -o registry -g registry /app /state
USER registry
WORKDIR /app

# The packages change seldom, the code often: they get a layer of their own. They are compiled here, as a
# container that may not write could not keep what it compiles.
ENV UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1
COPY --chown=registry:registry run requirements.lock pyproject.toml ./
RUN ./run setup

COPY --chown=registry:registry service ./service
COPY --chown=registry:registry migrations ./migrations
COPY --chown=registry:registry seeds ./seeds

# With DATABASE_URL the database is elsewhere; without it, a private one lives in the volume.
ENV HOST=0.0.0.0 PORT=8000 STATE_DIR=/state PYTHONUNBUFFERED=1
VOLUME /state
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["./run", "serve"]
