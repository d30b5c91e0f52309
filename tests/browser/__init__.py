"""Tests of the ops page in a real browser."""
