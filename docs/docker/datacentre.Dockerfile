# Edge SR on a data-centre GPU, x86-64: docker build -f docs/docker/datacentre.Dockerfile .
# The image's CUDA and the extra's (tensorrt-cu12) belong together. Host drivers: 535 or newer; NVENC needs 570.
ARG BASE=nvidia/cuda:12.8.1-devel-ubuntu24.04
FROM ${BASE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv cmake g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/edge-sr/bin:/usr/local/cuda/bin:${PATH}
RUN python3 -m venv /opt/edge-sr
COPY . /src
RUN pip install --no-cache-dir '/src[tensorrt]'

# NVENC and NVDEC are given to a container only when they are asked for.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
# Ubuntu 24.04's images hold a user 1000 already, the number that a host's first user and its films have.
RUN userdel --remove ubuntu 2>/dev/null || true
RUN useradd --create-home --uid 1000 film && install -d -m 0700 -o film -g film /engines
USER film
ENV EDGE_SR_CACHE=/engines
VOLUME /engines
WORKDIR /films
ENTRYPOINT ["edge-sr"]
CMD ["doctor"]
