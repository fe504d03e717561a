"""From frames to ranges to graphs with quantise and dequantise nodes."""
