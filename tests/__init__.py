"""Tests. `unit` mirrors the tree; the other folders test with real parts."""
