"""What a GPU backend asks of the CUDA driver, and the packages that give it."""
