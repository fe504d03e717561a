"""What a bundle is worth: picture quality, speed, baselines, and the report."""
