#!/usr/bin/env python3
"""Makes the Parquet files of the tests beside it; needs pyarrow, which the tests themselves do not.

Usage: make.py        (what each file holds is said by item_reader_test.cpp's neighbour, parquet_test.cpp)
"""

import datetime
import decimal
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent


def rows(count):
    texts = ["", "ä", "a longer text", None]
    return pa.table({
        "n": pa.array(range(count), pa.int64()),
        "text": pa.array([texts[i % 4] for i in range(count)], pa.string()),
        "share": pa.array([None if i % 5 == 0 else i / 4 for i in range(count)], pa.float64()),
        "even": pa.array([i % 2 == 0 for i in range(count)], pa.bool_()),
    })


def write(name, table, **options):
    pq.write_table(table, HERE / (name + ".parquet"), store_schema=False, write_statistics=False, **options)


def kinds():
    utc = datetime.timezone.utc
    return pa.table({
        "i8": pa.array([-1, None], pa.int8()),
        "u32": pa.array([4294967295, 0], pa.uint32()),
        "u64": pa.array([18446744073709551615, 0], pa.uint64()),
        "single": pa.array([0.1, float("nan")], pa.float32()),
        "real": pa.array([1e300, float("inf")], pa.float64()),
        "day": pa.array([datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)], pa.date32()),
        "ms": pa.array([datetime.datetime(2024, 2, 29, 12, 0, 0, 5000, utc), None], pa.timestamp("ms", "UTC")),
        "us": pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
        "time": pa.array([datetime.time(23, 59, 59, 1000), datetime.time(0, 0)], pa.time32("ms")),
        "money": pa.array([decimal.Decimal("-12.05"), decimal.Decimal("0.07")], pa.decimal128(9, 2)),
        "large": pa.array([decimal.Decimal("12345678901234567890123456789.012"), decimal.Decimal("-1")], pa.decimal128(38, 3)),
        "bytes": pa.array([b"\x00\xff", b""], pa.binary()),
        "fixed": pa.array([b"abc", b"def"], pa.binary(3)),
    })


def nested_rows(count):
    """Lists, objects and maps in all states of being there, from a fixed seed."""
    draw = random.Random(7)

    def maybe(make, null=0.2):
        return None if draw.random() < null else make()

    def some(make, most=4):
        return [make() for _ in range(draw.randrange(most))]

    def word():
        return draw.choice(["", "a", "ä", "some longer text"])

    def person():
        return {"name": maybe(word), "phones": maybe(lambda: some(lambda: maybe(word)))}

    return [{
        "id": i,
        "tags": maybe(lambda: some(lambda: maybe(word))),
        "grid": maybe(lambda: some(lambda: maybe(lambda: some(lambda: maybe(lambda: draw.randrange(100)))))),
        "who": maybe(lambda: {"name": maybe(word), "at": maybe(lambda: {"city": maybe(word), "zip": draw.randrange(9)})}),
        "people": maybe(lambda: some(lambda: maybe(person))),
        "limits": maybe(lambda: [(f"k{n}", maybe(lambda: draw.randrange(9))) for n in range(draw.randrange(4))]),
        "codes": maybe(lambda: [(n, maybe(word)) for n in range(draw.randrange(3))]),
        "last": maybe(word),
    } for i in range(count)]


def nested(rows):
    person = pa.struct([("name", pa.string()), ("phones", pa.list_(pa.string()))])
    return pa.Table.from_pylist(rows, pa.schema([
        ("id", pa.int64()), ("tags", pa.list_(pa.string())), ("grid", pa.list_(pa.list_(pa.int32()))),
        ("who", pa.struct([("name", pa.string()), ("at", pa.struct([("city", pa.string()), ("zip", pa.int16())]))])),
        ("people", pa.list_(person)), ("limits", pa.map_(pa.string(), pa.int64())),
        ("codes", pa.map_(pa.int32(), pa.string())), ("last", pa.string())]))


def as_item(row):
    """As Millrace shows it: a map is an object where its keys are texts, else a list of entries."""
    item = dict(row)
    if row["limits"] is not None:
        item["limits"] = dict(row["limits"])
    if row["codes"] is not None:
        item["codes"] = [{"key": key, "value": value} for key, value in row["codes"]]
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def write_nested():
    rows = nested_rows(150)
    (HERE / "nested.jsonl").write_text("".join(as_item(row) + "\n" for row in rows), encoding="utf-8")
    table = nested(rows)
    write("nested-v1", table, compression="none", row_group_size=40, data_page_size=100, version="1.0")
    write("nested-v2", table, compression="zstd", use_dictionary=False, row_group_size=60, data_page_version="2.0", write_batch_size=10,
          data_page_size=200)


def main():
    write_nested()
    write("plain", rows(9), compression="none", use_dictionary=False, version="1.0")
    write("snappy", rows(700), compression="snappy", row_group_size=300, data_page_size=200)
    write("gzip", rows(300), compression="gzip", data_page_version="2.0", version="2.6")
    write("zstd", rows(300), compression="zstd", data_page_version="2.0")
    write("kinds", kinds(), compression="none")
    write("int96", pa.table({"at": pa.array([datetime.datetime(2024, 2, 29, 12, 0, 0, 123456)], pa.timestamp("ns"))}),
          use_deprecated_int96_timestamps=True, compression="none")
    write("empty", rows(0), compression="none")
    write("brotli", rows(9), compression="brotli")
    write("delta", rows(9), compression="none", use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED"})


if __name__ == "__main__":
    main()
