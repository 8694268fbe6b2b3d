"""Small parquet files in the form of Hugging Face's copies of GLUE and SQuAD, for ParquetTaskTest.

    python make_parquet.py ../resources/parquet

Needs pyarrow. Sentences are made up. Snappy is what the hub's files are compressed with; one file
is split in two parts and one has several row groups, as large ones have.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

out = Path(sys.argv[1])


def write(name, columns, **options):
    file = out / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file, compression="snappy", **options)


def sst2(name, sentences, labels):
    write(
        name,
        {
            "sentence": pa.array(sentences, pa.string()),
            "label": pa.array(labels, pa.int64()),
            "idx": pa.array(range(len(labels)), pa.int32()),
        },
        row_group_size=2,
    )


sst2("sst2/train-00000-of-00002.parquet", ["a fine film ", "dull", "warm and funny"], [1, 0, 1])
sst2("sst2/train-00001-of-00002.parquet", ["no \"plot\" \u2013 at all"], [0])
sst2("sst2/validation-00000-of-00001.parquet", ["what a day", "tiresome"], [1, 0])
sst2("broken/train.parquet", ["label out of range"], [2])

for split in ("train", "validation_matched", "validation_mismatched"):
    write(
        f"mnli/{split}-00000-of-00001.parquet",
        {
            "premise": ["it rained in " + split, "two dogs run"],
            "hypothesis": ["it was dry", "animals move"],
            "label": pa.array([2, 0], pa.int64()),
        },
    )

write(
    "stsb/train-00000-of-00001.parquet",
    {
        "sentence1": ["a man plays", "a cat sleeps"],
        "sentence2": ["a man is playing", "rain falls"],
        "label": pa.array([4.75, 0.0], pa.float32()),
    },
)

context = "\U0001d517he key lay in the red box. Anna found it on Monday."
answers = [
    {"text": ["red box"], "answer_start": [context.index("red box")]},
    {"text": ["Anna", "Anna found"], "answer_start": [context.index("Anna")] * 2},
]
write(
    "squad/train-00000-of-00001.parquet",
    {
        "id": ["q1", "q2"],
        "title": ["Keys", "Keys"],
        "context": [context, context],
        "question": ["Where was the key? ", "Who found it?"],
        "answers": pa.array(
            answers,
            pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))]),
        ),
    },
)
