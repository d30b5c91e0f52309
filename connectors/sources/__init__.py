"""What comes in: one file a source, all behind the contract in `source.py`."""
