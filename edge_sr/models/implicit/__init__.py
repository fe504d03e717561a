"""Networks that are evaluated at any position: DIINN, LIIF, Meta-SR."""
