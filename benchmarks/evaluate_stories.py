"""How well stories are told apart: B-cubed of a backtest's output against labelled clusters.

    wirebell backtest GOLD.jsonl.gz --out OUT.jsonl --all-articles --window-hours 100000
    python -m benchmarks.evaluate_stories GOLD.jsonl.gz OUT.jsonl [FEEDBACK.jsonl]

What editors merged and split (records of Kafka topic `feedback`) counts over the labels. An
article without a story stands alone. Repeats are alerts of kind `new` per true story.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.corrections import corrections_in_file
from streams.feedback import Feedback


@dataclass(frozen=True, slots=True)
class Scores:
    """B-cubed over `articles`, and alerts of kind `new` for each true story."""

    articles: int
    precision: float
    recall: float
    f1: float
    new_per_story: float


def b_cubed(gold: Sequence[Hashable], found: Sequence[Hashable]) -> tuple[float, float, float]:
    """Precision, recall and F1 of a clustering, averaged over items (Bagga and Baldwin 1998)."""
    in_gold, in_found = Counter(gold), Counter(found)
    both = Counter(zip(gold, found, strict=True))
    pairs = list(zip(gold, found, strict=True))
    precision = sum(both[pair] / in_found[pair[1]] for pair in pairs) / len(pairs)
    recall = sum(both[pair] / in_gold[pair[0]] for pair in pairs) / len(pairs)
    return precision, recall, 2 * precision * recall / (precision + recall)


def corrected(
    clusters: Mapping[str, str], corrections: Iterable[Feedback], story_of: Mapping[str, str]
) -> dict[str, str]:
    """The labels after what editors merged and split. `story_of` says which articles the other
    story of a merge held.
    """
    now = dict(clusters)
    for one in corrections:
        ours = [now[each] for each in one.article_ids if each in now]
        if one.verdict == "split" and one.article_id in now:
            now[one.article_id] = f"split off {one.article_id}"
        elif one.verdict == "merge" and ours:
            held = {each for each, story in story_of.items() if story == one.other_story_id}
            theirs = {now[each] for each in held if each in now}
            now = {key: ours[0] if each in theirs else each for key, each in now.items()}
    return now


def evaluate(gold_path: Path, out_path: Path, corrections: Iterable[Feedback] = ()) -> Scores:
    """Score a backtest's output against the `cluster` of each row of its input, by id."""
    labels = {row["id"]: row["cluster"] for row in _rows(gold_path)}
    clusters = corrected(labels, corrections, {r["id"]: r["story"] for r in _rows(out_path)})
    rows = [row for row in _rows(out_path) if row["id"] in clusters]
    gold = [clusters[row["id"]] for row in rows]
    found = [row["story"] or f"alone {at}" for at, row in enumerate(rows)]
    precision, recall, f1 = b_cubed(gold, found)
    new = sum(row["decision"] == "new" for row in rows)
    return Scores(len(rows), precision, recall, f1, new / len(set(gold)))


def _rows(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in content.splitlines()]


def main() -> None:
    """Print the scores of one backtest."""
    corrections = corrections_in_file(Path(sys.argv[3])) if len(sys.argv) > 3 else []
    scores = evaluate(Path(sys.argv[1]), Path(sys.argv[2]), corrections)
    print(
        f"{scores.articles} articles: precision {scores.precision:.3f}, "
        f"recall {scores.recall:.3f}, B-cubed F1 {scores.f1:.3f}, "
        f"{scores.new_per_story:.2f} alerts of kind new per true story"
    )


if __name__ == "__main__":
    main()
