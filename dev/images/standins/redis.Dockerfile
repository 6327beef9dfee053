# Stands in for the public `redis:7` image where none can be pulled: the same user, paths and major version.
# It has no entrypoint script: manifests give whole commands.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN ln -s /usr/bin/redis-server /usr/bin/redis-cli /usr/local/bin/ \
 && sed -i '/^redis:/d' /etc/passwd /etc/group \
 && echo 'redis:x:999:999::/home/redis:/bin/sh' >> /etc/passwd \
 && echo 'redis:x:999:' >> /etc/group \
 && install -d -o 999 -g 999 /data
WORKDIR /data
CMD ["redis-server"]
