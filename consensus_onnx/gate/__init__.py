"""Does a new export still look at the same things? A baseline frozen from a run, and candidates held against it."""
