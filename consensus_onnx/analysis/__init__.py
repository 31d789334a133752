"""Statistics over results: what can be concluded from the scores of an audit, and with what certainty.

Arrays in, frozen results out; nothing here knows of models or files. The names stand in ``__init__.pyi`` and are
imported on first use: SciPy's statistics alone take half a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
