"""Edge SR inside other programs, and as a service for them."""
