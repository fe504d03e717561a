"""Images of kernels: those that come with the package, and those that are compiled here."""
