"""The embedded committee: small networks and pictures whose truth is known."""
