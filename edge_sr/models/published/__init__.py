"""Networks of fixed multiples, each in its paper's form."""
