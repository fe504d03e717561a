"""What tests share: media, networks, engines in the place of hardware."""
