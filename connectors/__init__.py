"""The edges: what comes in, what goes out, and the records that cross Kafka.

Knows nothing of machine learning, Faust or Redis.
"""
