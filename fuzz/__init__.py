"""Fuzzing: hostile bytes into every decoder, for as long as one likes (``make fuzz``).

A target (``fuzz/targets/``) is a plain function of bytes. It returns where all is well, also where
the input was refused with a catalogued reason; anything it raises is a finding, and so is more than
a second of work. Three runners use the same targets: ``fuzz.guided`` (coverage-guided, with
atheris), ``fuzz.unguided`` (pure Python) and ``tests/properties/test_fuzz_seeds.py``, which replays
``fuzz/seeds/<target>/`` with every ``make test``.
"""
