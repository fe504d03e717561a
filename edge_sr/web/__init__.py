"""What every web server of the project keeps to: who may ask, how many, for how long, and what is said of it."""
