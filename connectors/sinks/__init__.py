"""What goes out: one file a sink, all behind the contract in `sink.py`."""
