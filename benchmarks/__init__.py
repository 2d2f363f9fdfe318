"""Speed and accuracy, measured: ``python dev.py bench`` or ``python -m benchmarks``."""
