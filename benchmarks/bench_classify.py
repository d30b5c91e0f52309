"""Speed and memory of the topic model beside a plain scikit-learn pipeline, in the same run.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bench_classify [--texts FILE.jsonl[.gz]]
Texts are cut to 3 KB; without a file, invented ones are made. Rates are per CPU second, each the
median of several rounds taken in turn. The fast path is measured alone; what the slow reader adds
is measured on reports as they come, whole: the natural mix of `--data`, where that is there.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import scipy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from classifiers import examples, reader, reader_file
from classifiers.artifact import SHIPPED
from classifiers.examples import read_own_texts, read_rows
from classifiers.model import TopicModel
from classifiers.quick_encoder import QuickEncoder
from classifiers.reader_file import ReaderParts
from classifiers.topics import TOPIC_IDS

TEXT_CHARS = 3_000
N_TEXTS = 512
BATCHES = (1, 8, 64, 512)
ROUNDS = 5
ROUND_CPU_S = 0.5
ARRIVALS_S, N_ARRIVALS = 50, 1_500
#: As much as a worker takes together (streams.batches).
MOST_AT_ONCE = 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, help="JSON lines with a text each")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/topics"))
    arguments = parser.parse_args()
    texts = _texts(arguments.texts)
    print(f"{platform.python_version()=} {np.__version__=} {scipy.__version__=}")
    print(f"{sklearn.__version__=} texts={len(texts)} chars={TEXT_CHARS} rounds={ROUNDS}")
    before = _peak_mib()
    started, worked = time.perf_counter(), time.process_time()
    model = TopicModel.load(slow=False)
    model.predict(texts[:1])
    print(
        f"load and first answer {time.perf_counter() - started:.2f} s "
        f"({time.process_time() - worked:.2f} of CPU), "
        f"{_peak_mib() - before:.0f} MiB more at peak, "
        f"artifact {SHIPPED.stat().st_size / 2**20:.1f} MiB"
    )
    plain = _plain_pipeline(texts)
    print(
        f"{'batch':>6}{'ours':>18}{'plain':>18}{'ratio':>8}   (articles a CPU second: median, span)"
    )
    for batch in BATCHES:
        ours, theirs = _in_turn(texts, batch, model.predict, plain.predict_proba)
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{batch:>6}{_told(ours):>18}{_told(theirs):>18}{ratio:>8.1f}")
    single = [_seconds_for_one(model, text) for text in texts[:200]]
    print(
        f"one article: p50 {statistics.median(single) * 1e3:.2f} ms, "
        f"p99 {np.percentile(single, 99) * 1e3:.2f} ms"
    )
    _tell_slow(model, _natural(arguments.data))


def _tell_slow(fast: TopicModel, texts: Sequence[str]) -> None:
    """What the slow reader costs, on texts as they come."""
    before, held = _peak_mib(), _mib()
    started, worked = time.perf_counter(), time.process_time()
    slow = reader.shipped()
    if slow is None or not texts:
        print("slow reader: not measured, no reader or no natural mix here")
        return
    looked = time.process_time() - worked
    slow.opinions(["One."])
    print(
        f"slow reader: looked at in {looked:.2f} s of CPU; "
        f"load and first answer {time.perf_counter() - started:.2f} s "
        f"({time.process_time() - worked:.2f} of CPU), "
        f"{_mib() - held:.0f} MiB more kept, {_peak_mib() - before:.0f} MiB more at peak "
        f"(all together {_peak_mib():.0f} MiB), "
        f"artifact {reader_file.SHIPPED.stat().st_size / 2**20:.1f} MiB"
    )
    both = TopicModel.load()
    doubtful = list(both.read(texts).first)
    print(f"of {len(texts)} reports as they come {len(doubtful) / len(texts):.1%} are read slowly")
    alone, mixed = _in_turn(texts, 64, fast.predict, both.predict)
    print(f"batches of 64 of them: fast alone {_told(alone)}, with the reader {_told(mixed)}")
    parts = reader_file.load(reader_file.SHIPPED)
    _tell_engines(parts, [texts[row] for row in doubtful])
    for name, model in (("fast alone", fast), ("with the reader", both)):
        _tell_waits(name, model, texts)
    single = [_seconds_for_one(both, texts[row]) for row in doubtful[:40]]
    if single:
        print(
            f"one doubtful report: p50 {statistics.median(single) * 1e3:.1f} ms, "
            f"p99 {np.percentile(single, 99) * 1e3:.1f} ms"
        )


def _tell_engines(parts: ReaderParts, texts: Sequence[str]) -> None:
    """The network on whole numbers beside the one in floats, on what is doubtful."""
    quick, exact, cut = (
        QuickEncoder(parts.arrays, parts.heads),
        parts.encoder(),
        parts.segmentation(),
    )
    pieces = [cut.ids(text, len(parts.arrays["positions"])) for text in texts]
    taken: dict[str, list[float]] = {"whole numbers": [], "floats": []}
    for _ in range(ROUNDS):
        for name, encoder in (("whole numbers", quick), ("floats", exact)):
            started = time.process_time()
            for ids in pieces:
                encoder.logits(ids)
            taken[name].append((time.process_time() - started) / len(pieces) * 1e3)
    away = max(float(np.abs(quick.logits(ids) - exact.logits(ids)).max()) for ids in pieces)
    told = ", ".join(f"{name} {statistics.median(ms):.1f} ms" for name, ms in taken.items())
    mean = statistics.mean(map(len, pieces))
    print(
        f"the network alone, {mean:.0f} pieces a text: {told}; {away:.4f} of a logit apart at most"
    )


def _tell_waits(name: str, model: TopicModel, texts: Sequence[str]) -> None:
    """How long reports wait for their answers where ARRIVALS_S come a second, at random, to one
    worker that takes all that is there; and where MOST_AT_ONCE are there at once. Time is CPU time:
    other work on the machine does not count.
    """
    rng = random.Random(11)
    arrived, now = [], 0.0
    for _ in range(N_ARRIVALS):
        now += rng.expovariate(ARRIVALS_S)
        arrived.append(now)
    chosen = [rng.choice(texts) for _ in arrived]
    waits, at, clock = [], 0, 0.0
    while at < len(arrived):
        clock = max(clock, arrived[at])
        end = at
        while end < len(arrived) and arrived[end] <= clock and end - at < MOST_AT_ONCE:
            end += 1
        started = time.process_time()
        model.predict(chosen[at:end])
        clock += time.process_time() - started
        waits += [clock - moment for moment in arrived[at:end]]
        at = end
    p50, p99 = np.percentile(waits, [50, 99]) * 1e3
    started = time.process_time()
    model.predict(chosen[:MOST_AT_ONCE])
    full = time.process_time() - started
    print(
        f"{ARRIVALS_S} a second, {name}: answered after p50 {p50:.1f} ms, p99 {p99:.1f} ms; "
        f"{MOST_AT_ONCE} at once: after {full * 1e3:.0f} ms"
    )


def _natural(directory: Path) -> list[str]:
    """Reports drawn at random that nobody has learned from."""
    path = directory / examples.UNLABELLED_FILE
    found = examples.read_labelled_since(path, examples.NATURAL_LABELS)
    return [example.text for example in found]


def _texts(path: Path | None) -> list[str]:
    """3 KB texts: slices of the file's texts joined, or of our own texts shuffled."""
    rng = random.Random(7)
    if path is None:
        own = [example.text for example in read_own_texts()]
        pool = ". ".join(rng.choice(own) for _ in range(20_000))
    else:
        pool = "\n\n".join(str(row.get("text", "")) for _, row in read_rows(path))
    starts = [rng.randrange(max(len(pool) - TEXT_CHARS, 1)) for _ in range(N_TEXTS)]
    return [pool[start : start + TEXT_CHARS] for start in starts]


def _plain_pipeline(texts: Sequence[str]) -> Pipeline:
    """TfidfVectorizer and one LogisticRegression a topic; what it learns does not matter here."""
    rng = np.random.default_rng(0)
    labels = rng.random((len(texts), len(TOPIC_IDS))) < 0.3
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression(max_iter=20)),
    )
    return pipeline.fit(texts, labels.astype(int))


def _in_turn(
    texts: Sequence[str], batch: int, *predictors: Callable[[Sequence[str]], object]
) -> list[list[float]]:
    """Rates of each predictor, measured in turn so that a busy moment hits all of them."""
    rates: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for predict, found in zip(predictors, rates, strict=True):
            done, offset, started = 0, 0, time.process_time()
            while time.process_time() - started < ROUND_CPU_S:
                predict(texts[offset : offset + batch])
                done += batch
                offset = (offset + batch) % (len(texts) - batch + 1)
            found.append(done / (time.process_time() - started))
    return rates


def _seconds_for_one(model: TopicModel, text: str) -> float:
    started = time.process_time()
    model.predict([text])
    return time.process_time() - started


def _told(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ±{(max(rates) - min(rates)) / 2:,.0f}"


def _mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
