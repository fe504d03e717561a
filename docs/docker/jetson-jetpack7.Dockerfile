# Edge SR on JetPack 7 (Thor; Orin from 7.2). Build on the board: docker build -f docs/docker/jetson-jetpack7.Dockerfile .
# From JetPack 7 on, boards take NVIDIA's general arm64 images. The image's TensorRT has to be one that the
# board's driver runs: 10.13 for JetPack 7.0 and 7.1, 10.16 for 7.2.
ARG BASE=nvcr.io/nvidia/tensorrt:25.08-py3
FROM ${BASE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv cmake g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/edge-sr/bin:/usr/local/cuda/bin:${PATH}
RUN python3 -m venv --system-site-packages /opt/edge-sr
COPY . /src
RUN pip install --no-cache-dir '/src[cuda]'

# Ubuntu 24.04's images hold a user 1000 already, the number that a host's first user and its films have.
RUN userdel --remove ubuntu 2>/dev/null || true
RUN useradd --create-home --uid 1000 --groups video film && install -d -m 0700 -o film -g film /engines
USER film
ENV EDGE_SR_CACHE=/engines
VOLUME /engines
WORKDIR /films
ENTRYPOINT ["edge-sr"]
CMD ["doctor"]
