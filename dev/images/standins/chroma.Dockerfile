# Stands in for the public `chromadb/chroma:1.5.9` image where none can be pulled: the same server and paths.
# PyPI's package holds the server itself; the rest of the package is its Python client.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY chromadb_rust_bindings /opt/chroma/chromadb_rust_bindings
RUN printf '#!/bin/sh\nexport PYTHONPATH=/opt/chroma\nexec python3 -c "import sys, chromadb_rust_bindings as server; server.cli(sys.argv)" "$@"\n' > /usr/local/bin/chroma \
 && chmod 0755 /usr/local/bin/chroma && mkdir /data
ENTRYPOINT ["chroma"]
CMD ["run", "--host", "0.0.0.0", "--port", "8000", "--path", "/data"]
