# Edge SR on a data-centre GPU, x86-64: docker build -f docs/docker/datacentre.Dockerfile .
ARG BASE=nvidia/cuda:12.8.1-devel-ubuntu24.04
FROM ${BASE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv python3-dev cmake g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/edge-sr/bin:/usr/local/cuda/bin:${PATH}
RUN python3 -m venv /opt/edge-sr
COPY . /src
# The toolkit has only a stub of the driver's library to link pycuda with; the driver itself comes at run time.
RUN LIBRARY_PATH=/usr/local/cuda/lib64/stubs pip install --no-cache-dir '/src[tensorrt]'

# NVENC and NVDEC are given to a container only when they are asked for.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
RUN useradd --create-home film && install -d -m 0700 -o film -g film /engines
USER film
ENV EDGE_SR_CACHE=/engines
VOLUME /engines
WORKDIR /films
ENTRYPOINT ["edge-sr"]
CMD ["doctor"]
