# Edge SR on JetPack 6.2 (Orin). Build on the board: docker build -f docs/docker/jetson-jetpack6.Dockerfile .
# The tag has to be the board's L4T release: cat /etc/nv_tegra_release
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0
FROM ${BASE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv python3-libnvinfer cmake g++ \
    && rm -rf /var/lib/apt/lists/*

# The environment sees the image's TensorRT; CUDA's bindings and run-time compiler are wheels.
ENV PATH=/opt/edge-sr/bin:/usr/local/cuda/bin:${PATH}
RUN python3 -m venv --system-site-packages /opt/edge-sr
COPY . /src
RUN pip install --no-cache-dir '/src[cuda]'

# Engines are code: their folder belongs to the user that loads them, and to nobody else.
RUN useradd --create-home --uid 1000 --groups video film && install -d -m 0700 -o film -g film /engines
USER film
ENV EDGE_SR_CACHE=/engines
VOLUME /engines
WORKDIR /films
ENTRYPOINT ["edge-sr"]
CMD ["doctor"]
