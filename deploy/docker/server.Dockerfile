# Server: the offline command line, without ROS.
#   docker build --file deploy/docker/server.Dockerfile --tag active_collection:server .
FROM python:3.12-slim-trixie
# Of torch the build for processors; for a GPU: --build-arg TORCH=https://download.pytorch.org/whl/cu128
ARG TORCH=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY . .
# The versions that are tried; torch goes alone, its index must not be asked for anything else.
RUN python environment/requirements.py --constraints > constraints.txt \
    && python environment/requirements.py server video s3 sftp postgresql > requirements.txt \
    && grep '^torch' requirements.txt > torch.txt \
    && pip install --no-cache-dir --index-url "$TORCH" --requirement torch.txt \
    && pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt \
    && pip install --no-cache-dir --no-deps .
RUN useradd --create-home --uid 1001 robot && install --directory --owner robot /data
USER 1001
VOLUME /data
WORKDIR /data
# An interrupt ends a command with one line; what is written is whole.
STOPSIGNAL SIGINT
ENTRYPOINT ["active-collection"]
CMD ["--help"]
