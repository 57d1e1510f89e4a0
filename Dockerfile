# sipguard in a container. Its dependencies are those of requirements.lock, by version and hash, without those that
# only tests and builds need: requirements.runtime.lock.
#
#   docker build -t sipguard .
#   docker run --network host --read-only --tmpfs /run/sipguard:uid=10001,gid=10001,mode=0750 \
#     -v sipguard:/var/lib/sipguard -v /etc/sipguard:/etc/sipguard:ro --stop-timeout 150 sipguard
#
# SIP with many peers behind a translating network needs advertise: in the listeners; the host's network is simpler.
# Secrets are files in /etc/sipguard that user 10001 can read, or credentials, mounted into /run/credentials:
# -v DIRECTORY:/run/credentials:ro -e CREDENTIALS_DIRECTORY=/run/credentials

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/sipguard
COPY requirements.runtime.lock /build/
RUN /opt/sipguard/bin/python -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --no-deps \
      --require-hashes -r /build/requirements.runtime.lock && /opt/sipguard/bin/python -m pip uninstall -y pip setuptools
COPY sipguard /opt/sipguard/lib/python3.11/site-packages/sipguard
COPY config /opt/sipguard/share/sipguard/config
COPY config/docker/sipguard /opt/sipguard/bin/
RUN chmod 755 /opt/sipguard/bin/sipguard && /opt/sipguard/bin/python -m compileall -q /opt/sipguard/lib

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 tzdata \
      && rm -rf /var/lib/apt/lists/* \
      && groupadd --system --gid 10001 sipguard \
      && useradd --system --uid 10001 --gid sipguard --home-dir /var/lib/sipguard --shell /usr/sbin/nologin sipguard \
      && install -d -o sipguard -g sipguard -m 0750 /var/lib/sipguard /run/sipguard
COPY --from=build /opt/sipguard /opt/sipguard
COPY LICENSE /usr/share/doc/sipguard/
ENV PATH=/opt/sipguard/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/var/lib/sipguard"]
EXPOSE 5060/udp 5060/tcp 5061/tcp 9464/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["sipguard", "status"]
ENTRYPOINT ["sipguard"]
CMD ["run"]
