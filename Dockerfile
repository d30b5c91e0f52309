# One image for every process of ours; the command says which. Nothing that builds is in it.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /src
# What is installed changes less often than what we write: its own layer.
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY connectors connectors
COPY classifiers classifiers
COPY streams streams
RUN python -m venv --without-pip /opt/wirebell \
    && pip --python /opt/wirebell/bin/python install --no-cache-dir --disable-pip-version-check \
       --constraint constraints.txt .

FROM python:3.12.11-slim-bookworm
RUN pip uninstall --yes --quiet --root-user-action=ignore pip \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/wirebell wirebell \
    && install --directory --owner=wirebell --group=wirebell --mode=0700 /var/lib/wirebell
COPY --from=build /opt/wirebell /opt/wirebell
ENV PATH=/opt/wirebell/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    WIREBELL_STATE_DIR=/var/lib/wirebell
USER 10001:10001
WORKDIR /var/lib/wirebell
STOPSIGNAL SIGTERM
ENTRYPOINT ["wirebell"]
CMD ["--help"]
