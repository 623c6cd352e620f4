#!/usr/bin/env python3
"""Makes the Parquet files of the tests beside it; needs pyarrow, which the tests themselves do not.

Usage: make.py        (what each file holds is said by item_reader_test.cpp's neighbour, parquet_test.cpp)
"""

import datetime
import decimal
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


def main():
    write("plain", rows(9), compression="none", use_dictionary=False, version="1.0")
    write("snappy", rows(700), compression="snappy", row_group_size=300, data_page_size=200)
    write("gzip", rows(300), compression="gzip", data_page_version="2.0", version="2.6")
    write("zstd", rows(300), compression="zstd", data_page_version="2.0")
    write("kinds", kinds(), compression="none")
    write("int96", pa.table({"at": pa.array([datetime.datetime(2024, 2, 29, 12, 0, 0, 123456)], pa.timestamp("ns"))}),
          use_deprecated_int96_timestamps=True, compression="none")
    write("empty", rows(0), compression="none")
    write("list", pa.table({"tags": pa.array([["a"]], pa.list_(pa.string()))}), compression="none")
    write("inside", pa.table({"who": pa.array([{"name": "a"}])}), compression="none")
    write("brotli", rows(9), compression="brotli")
    write("delta", rows(9), compression="none", use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED"})


if __name__ == "__main__":
    main()
