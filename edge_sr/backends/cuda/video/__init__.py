"""Video decoders' and encoders' surfaces on the device."""
