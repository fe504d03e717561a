"""What a bundle is worth: picture quality, speed, rivals, and the report."""
