"""Milliseconds a frame of the ``cuda`` backend on GPUs that were not at hand: estimates by arithmetic.

    python benchmarks/gpu_estimate.py

What an SM has to do was counted from a compiled prototype of the kernels. A layer of 32 channels takes, for 256 LR
pixels and a quarter of an SM, 288 products of 16 x 8 x 16 and 1,015 instructions, and 1,900 wavefronts of the SM's
shared memory. The decoder takes 68 products, 872 instructions and 96 sines of 8 clocks for 32 output pixels and a
quarter, and 770 wavefronts for four quarters. Of what does not bound a kernel a quarter is taken to be waited for.
Memory moves at 80 or 85 % of its nominal rate. Compare with ``edge-sr bench --backend cuda`` where there is a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """``product``: clocks of a product with float32 sums on a quarter of an SM; ``narrow``: with float16 sums."""

    name: str
    sms: int
    ghz: float
    product: float
    narrow: float
    gb_s: float
    # Work done twice where tiles of residual pairs overlap: less with more shared memory.
    overlap: float


@dataclass(frozen=True)
class Network:
    """``layer`` and ``head``: products, wavefronts and instructions for 256 LR pixels. ``layers``: in layers of equal
    width, of which ``paired`` are in residual blocks; ``bytes_lr``: moved for one LR pixel; ``decoder``: its share of
    three layers of 32."""

    name: str
    layer: tuple[int, int, int]
    head: tuple[int, int, int]
    layers: float
    paired: int
    bytes_lr: int
    maps: int
    decoder: float


GPUS = (
    Gpu("H100 SXM", 132, 1.70, 6.5, 6.5, 3350 * 0.85, 1.10),
    Gpu("RTX 4090", 128, 2.52, 32, 16, 1008 * 0.85, 1.17),
    Gpu("RTX 3060", 28, 1.78, 32, 16, 360 * 0.85, 1.17),
    Gpu("AGX Orin 64", 16, 1.30, 8, 8, 204.8 * 0.80, 1.115),
    Gpu("Orin Nano Super", 8, 1.02, 8, 8, 102 * 0.80, 1.115),
)
NETWORKS = (
    Network("diinn-edge", (288, 1900, 1015), (144, 1000, 620), 20, 16, 1539, 192, 1.0),
    Network("diinn-nano", (72, 820, 330), (72, 820, 330), 13.5, 10, 643, 160, 0.85),
)
SIZES = (("720p to 1440p", 1280 * 720), ("1080p to 4K", 1920 * 1080))
WAITED = 0.25
SINES, DECODER = 96 * 8, (68, 770, 872)


def bound(*pipes: float) -> float:
    """Clocks of the busiest, and of the others' mean what is waited for."""
    most = max(pipes)
    return most + WAITED * (sum(pipes) - most) / (len(pipes) - 1)


def encoder_ms(gpu: Gpu, network: Network, pixels: int) -> float:
    clocks = min(gpu.product, gpu.narrow)
    extra = 190 / 288 if gpu.narrow < gpu.product else 0
    products, wavefronts, instructions = network.layer
    layer = bound(products * clocks, wavefronts, instructions + extra * products) / 256
    first, shared, issued = network.head
    head = bound(first * gpu.product, shared, issued) / 256
    layers = network.layers + network.paired * (gpu.overlap - 1)
    compute = pixels * (layers * layer + head) / (gpu.sms * gpu.ghz * 1e6)
    memory = pixels * network.bytes_lr / (gpu.gb_s * 1e6)
    return max(compute, memory) + WAITED * min(compute, memory)


def decoder_ms(gpu: Gpu, network: Network, pixels: int, outputs: int) -> float:
    products, wavefronts, instructions = DECODER
    clocks = bound(products * gpu.product, instructions, SINES, wavefronts) / (4 * 32) * network.decoder
    compute = outputs * clocks / (gpu.sms * gpu.ghz * 1e6)
    memory = (pixels * (network.maps + 3) + outputs * 3) / (gpu.gb_s * 1e6)
    return max(compute, memory) + WAITED * min(compute, memory)


def main() -> None:
    print("estimates by arithmetic, milliseconds a frame: encoder + decoder = whole")
    for network in NETWORKS:
        for name, pixels in SIZES:
            print(f"{network.name}, {name}")
            for gpu in GPUS:
                encoder, decoder = (
                    encoder_ms(gpu, network, pixels),
                    decoder_ms(gpu, network, pixels, 4 * pixels),
                )
                print(f"  {gpu.name:16} {encoder:6.2f} + {decoder:5.2f} = {encoder + decoder:6.2f}")


if __name__ == "__main__":
    main()
