"""One file per way of laying out a data set on disk; each lists and parses text, none decodes a picture."""
