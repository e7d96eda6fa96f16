# The operator's image. The base is pinned by digest and the Python packages by hash.
# BASE needs python3 3.11 or later with venv and pip. `make image-test` passes one that is made of Debian packages.
# This is python:3.13-slim-trixie (Python 3.13.14) of 2026-08-05; its index covers amd64 and arm64.
ARG BASE=python:3.13-slim-trixie@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
WORKDIR /src
COPY requirements-build.lock requirements-runtime.lock ./
# /tools holds pip and the build backend, and stays behind. /app is what ships, and it has no pip.
RUN python3 -m venv /tools && python3 -m venv --without-pip /app \
 && /tools/bin/pip install --only-binary=:all: --require-hashes -r requirements-build.lock \
 && /tools/bin/pip --python /app/bin/python install --no-compile --only-binary=:all: --require-hashes \
      -r requirements-runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY image/sbom.py ./
# The root file system is read-only at run time, so bytecode is compiled here and never compared with a time stamp.
RUN /tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
 && /tools/bin/pip --python /app/bin/python install --no-compile --no-deps --no-index /dist/*.whl \
 && /app/bin/python sbom.py > /app/sbom.cdx.json \
 && /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/lib

# Without pip, package manager, Perl, documentation and set-user-ID bits. Python is in /usr/local in one base, in /usr in the other.
FROM ${BASE} AS trimmed
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
      /usr/lib/python3/dist-packages/pip* /usr/lib/python3*/ensurepip /usr/share/python-wheels /usr/bin/pip* \
      /usr/lib/python3/dist-packages/setuptools* /usr/lib/python3/dist-packages/wheel* \
      /usr/bin/apt* /usr/lib/apt /usr/lib/*/libapt* /var/lib/apt /var/cache /etc/apt \
      /usr/share/doc /usr/share/man /usr/share/locale \
      /usr/bin/dpkg* /usr/bin/perl* /usr/lib/*/perl-base \
 && find / -xdev -perm /6000 -type f -exec chmod a-s {} +
COPY --from=build /app /app
# kopf reads the name of its user at startup, and raises OSError where /etc/passwd has none for the uid.
RUN echo 'agentrollouts:x:65532:65532::/:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'agentrollouts:x:65532:' >> /etc/group

# A copy into an empty image is one layer, without the deleted files.
FROM scratch
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title="agentrollouts" \
      org.opencontainers.image.description="Kubernetes operator that ships and rolls back AI agents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=trimmed / /
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["agentrollouts"]
CMD ["operator"]
