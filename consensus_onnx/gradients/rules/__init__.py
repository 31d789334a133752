"""Gradient rules, one small module per family of operators; every module here is found and loaded by the registry."""
