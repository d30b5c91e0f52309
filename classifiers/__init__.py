"""Text in, topics out: models and text analysis. A leaf that imports nothing of ours."""
