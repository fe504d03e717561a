"""Which images a calibration sees."""
