# Two images from one file: `operator` and `engine`. Works with BuildKit and the legacy builder, with and without a network.
# Offline: put the wheels that requirements/*.txt lock into wheels/, the project's own into dist/, and set PIP_NO_INDEX=1.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ARG PIP_NO_INDEX=
ENV PIP_NO_INDEX=${PIP_NO_INDEX} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_FIND_LINKS=/build PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/insight
# An optional folder can only be named by a pattern beside something that is always there.
COPY requirements wheels* /build/

FROM builder AS operator-packages
RUN /pip/bin/pip --python /opt/insight/bin/python install --require-hashes --no-deps --only-binary :all: -r /build/operator.txt \
 && /opt/insight/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/insight

FROM builder AS engine-packages
RUN /pip/bin/pip --python /opt/insight/bin/python install --require-hashes --no-deps --only-binary :all: -r /build/engine.txt \
 && /opt/insight/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/insight

FROM builder AS project
COPY pyproject.toml README.md LICENSE dist* /source/
COPY operator /source/operator
COPY engine /source/engine
RUN mkdir /wheel && (mv /source/*.whl /wheel/ 2>/dev/null || /pip/bin/pip wheel --no-deps --wheel-dir /wheel /source)
# The environment of this stage holds the project alone: a small layer that is laid over the packages' large one,
# so that changing code neither rebuilds nor pushes the packages again.
RUN /pip/bin/pip --python /opt/insight/bin/python install --no-index --no-deps /wheel/*.whl \
 && /opt/insight/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/insight

FROM ${PYTHON_IMAGE} AS runtime
RUN find / -xdev \( -name ensurepip -o -name python-wheels -o -path '*/site-packages/pip' -o -path '*/site-packages/pip-*' -o -path '*/site-packages/setuptools*' \) -prune -exec rm -rf {} + \
 && rm -f /usr/local/bin/pip* \
 && echo 'insight:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'insight:x:10001:' >> /etc/group
ENV PATH=/opt/insight/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1
WORKDIR /
USER 10001:10001
LABEL org.opencontainers.image.licenses="Apache-2.0" org.opencontainers.image.vendor="InsightEngine"

FROM runtime AS operator
COPY --from=operator-packages /opt/insight /opt/insight
COPY --from=project /opt/insight /opt/insight
ENTRYPOINT ["insight-operator"]
LABEL org.opencontainers.image.title="insight-operator" \
      org.opencontainers.image.description="Turns InsightEngine objects into running query services"

FROM runtime AS engine
COPY --from=engine-packages /opt/insight /opt/insight
COPY --from=project /opt/insight /opt/insight
ENTRYPOINT ["insight-engine"]
LABEL org.opencontainers.image.title="insight-engine" \
      org.opencontainers.image.description="Answers questions over databases, by SQL"
