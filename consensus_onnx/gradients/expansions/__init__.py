"""Operators written by simpler ones, one small module per family; every module here is found and loaded by itself."""
