#!/usr/bin/env python3
"""Writes card transactions of made-up customers: transactions.csv (known, with is_fraud) and new.csv (to be scored).

Usage: generate.py DIRECTORY [--customers 2500] [--rows 20000] [--seed 7]

The same arguments write the same bytes. Fraud is 2-4 % of the rows and depends on several columns together: large amounts of
young accounts, card tests (tiny amounts in quick succession), nights online, machines that pay out round sums. Each column
alone says little, so a linear model sees only part of it.
"""

import argparse
import csv
import math
import random
from datetime import datetime, timedelta
from pathlib import Path

COLUMNS = ["transaction_id", "customer_id", "time", "amount", "merchant_category", "channel", "account_age_days",
           "transactions_last_24h"]
CATEGORIES = {"grocery": 30, "fuel": 14, "restaurant": 18, "clothing": 12, "electronics": 9, "travel": 6,
              "jewelry": 3, "gift_cards": 4, "health": 8}
CHANNELS = {"chip": 48, "contactless": 26, "online": 20, "atm": 6}
BEGIN = datetime(2026, 1, 5)
DAYS = 60


def pick(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


def make_customer(rng, number):
    return {
        "id": f"C{number:05d}",
        "opened": BEGIN - timedelta(days=int(rng.expovariate(1 / 700.0)) + 1),
        "usual": rng.gauss(3.3, 0.45),  # logarithm of what the customer usually spends
        "busy": rng.lognormvariate(0.3, 0.6),
        "night_owl": rng.random() < 0.15,
    }


def make_time(rng, customer):
    """A time of day as people have them; some live at night."""
    hour = rng.choices(range(24), [2, 1, 1, 1, 1, 2, 4, 7, 8, 9, 10, 11, 12, 11, 10, 10, 11, 12, 12, 10, 8, 6, 5, 3])[0]
    if customer["night_owl"] and rng.random() < 0.5:
        hour = rng.choice([22, 23, 0, 1, 2, 3])
    day = rng.randrange(DAYS)
    return BEGIN + timedelta(days=day, hours=hour, minutes=rng.randrange(60), seconds=rng.randrange(60))


def make_row(rng, customer):
    channel, category, time = pick(rng, CHANNELS), pick(rng, CATEGORIES), make_time(rng, customer)
    dear = {"electronics": 1.1, "travel": 1.6, "jewelry": 1.5, "gift_cards": 0.4}.get(category, 0.0)
    amount = round(rng.lognormvariate(customer["usual"] + dear, 0.75), 2)
    if channel == "atm":
        amount = float(rng.choice([20, 50, 50, 100, 100, 200, 400]))
    if rng.random() < 0.05:
        amount = round(rng.uniform(0.5, 4.0), 2)  # a coffee
    age = max((time - customer["opened"]).days, 0)
    busy = customer["busy"] * (2.5 if rng.random() < 0.12 else 1.0)
    recent = min(int(rng.expovariate(1 / busy)), 25)
    return {"customer_id": customer["id"], "time": time, "amount": amount, "merchant_category": category,
            "channel": channel, "account_age_days": age, "transactions_last_24h": recent}


def risk(row):
    """Logarithm of the odds of fraud: patterns of several columns, not a sum of columns."""
    night = row["time"].hour < 5 or row["time"].hour >= 22
    remote = row["channel"] == "online"
    sellable = row["merchant_category"] in ("electronics", "jewelry", "gift_cards")
    young, large = row["account_age_days"] < 150, row["amount"] > 120
    score = -7.0
    if row["amount"] < 4.0 and row["transactions_last_24h"] >= 3:
        score += 6.6  # a stolen card is being tried
    if young and large and (remote or sellable):
        score += 6.4  # account opened for the purpose
    if night and remote and sellable:
        score += 6.0
    if row["channel"] == "atm" and row["amount"] >= 200 and (night or row["transactions_last_24h"] >= 3):
        score += 6.0
    if not young and large and sellable and row["transactions_last_24h"] >= 4:
        score += 5.4  # spending spree on an old account
    score += 0.25 * math.log1p(row["transactions_last_24h"]) + 0.15 * math.log(max(row["amount"], 1.0))
    return score


def written(rng, row, number):
    """The row as the file has it: some cells were never recorded."""
    cells = dict(row, transaction_id=f"T{number:06d}", time=row["time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                 amount=f"{row['amount']:.2f}")
    for column, share in (("merchant_category", 0.03), ("account_age_days", 0.04), ("transactions_last_24h", 0.02)):
        if rng.random() < share:
            cells[column] = ""
    return cells


def write_csv(path, rows, columns):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--customers", type=int, default=2500)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--new-rows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    customers = [make_customer(rng, i + 1) for i in range(args.customers)]
    weights = [c["busy"] for c in customers]
    rows = [make_row(rng, c) for c in rng.choices(customers, weights, k=args.rows + args.new_rows)]
    rows.sort(key=lambda row: row["time"])
    for row in rows:
        row["is_fraud"] = int(rng.random() < 1 / (1 + math.exp(-risk(row))))
    cells = [written(rng, row, i + 1) for i, row in enumerate(rows)]

    args.directory.mkdir(parents=True, exist_ok=True)
    known, new = cells[:args.rows], cells[args.rows:]
    write_csv(args.directory / "transactions.csv", known, COLUMNS + ["is_fraud"])
    write_csv(args.directory / "new.csv", new, COLUMNS)
    share = sum(row["is_fraud"] for row in known) / len(known)
    print(f"{len(known)} transactions of {len(customers)} customers, {share:.1%} fraud; {len(new)} new ones to score")


if __name__ == "__main__":
    main()
