"""A large import by the command line or the API, with its peak memory, whose answers are checked by totals.

    ./run totals --rows 100000 --door cli

The totals of the file are worked out from its rows alone: of each subject the pledge of the latest day counts, wherever
it stands in the file. The registry's are those of its status and its countries' commitments.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.processes import Server, exchange, open_folder, serving, watched
from tests.registry import TOKEN, Json

Totals = dict[tuple[str, str, str], Decimal]
"""Sums by coalition, category or country, and unit or currency."""
COUNTRIES = ("DE", "FR", "GB", "IT", "NL", "NO", "PL", "SE")
_KINDS = (("financial", "EUR"), ("humanitarian", "USD"), ("ground_troops", "persons"), ("training", "persons"))
_TO_A_COALITION = 2000  # rows
_RESTATED = 0.2


def rows_of(count: int, seed: int = 1) -> Iterator[Json]:
    """So many rows: coalitions, pledges, and pledges stated again, some of them earlier than what stands above."""
    chance = Random(seed)
    stated: list[tuple[str, str, int]] = []
    slug = ""
    for number in range(count):
        if number % _TO_A_COALITION == 0:
            slug, stated = f"coalition-{number // _TO_A_COALITION}", []
            yield {"kind": "coalition.registered", "coalition": slug, "name": slug.title()}
            continue
        again = stated and chance.random() < _RESTATED
        one = chance.choice(stated) if again else (f"pledge-{number}", chance.choice(COUNTRIES), chance.randrange(4))
        stated.append(one)
        yield _pledge(slug, number, one, chance)


def _pledge(coalition: str, number: int, about: tuple[str, str, int], chance: Random) -> Json:
    subject, country, kind = about
    category, unit = _KINDS[kind]
    amount = chance.randrange(1, 10_000)
    body: Json = {"category": category, "firmness": "announced"}
    if unit.isupper():
        body["money"] = {"amount": f"{amount}.50", "currency": unit}
    else:
        body["quantity"] = {"min": amount, "max": amount, "unit": unit}
    day = date(2000, 1, 1) + timedelta(days=(number * 7919) % 9001)  # no two of a coalition fall on one day
    return {
        "kind": "pledge.stated", "coalition": coalition, "subject": subject, "actors": [country],
        "occurred": {"edtf": day.isoformat(), "basis": "stated"}, "said_by": {"actor": country},
        "summary": f"Row {number}.", "sources": [{"title": "A table"}], "body": body,
    }  # fmt: skip


def totals_of(rows: Iterator[Json]) -> tuple[int, Totals]:
    """How many rows there are, and what they come to."""
    count, last = 0, dict[tuple[str, str], Json]()
    for row in rows:
        count += 1
        if row["kind"] == "pledge.stated":
            key = row["coalition"], row["subject"]
            if key not in last or last[key]["occurred"]["edtf"] < row["occurred"]["edtf"]:
                last[key] = row
    totals: Totals = Counter()  # type: ignore[assignment]  # of decimals
    for row in last.values():
        body = row["body"]
        unit = body["money"]["currency"] if "money" in body else body["quantity"]["unit"]
        amount = Decimal(body["money"]["amount"]) if "money" in body else Decimal(body["quantity"]["min"])
        for group in (body["category"], row["actors"][0]):
            totals[row["coalition"], group, unit] += amount
    return count, totals


def totals_found(get: Callable[[str], Json]) -> Totals:
    """What the registry's answers come to."""
    totals: Totals = Counter()  # type: ignore[assignment]  # of decimals
    for coalition in _all(get, "/v1/coalitions"):
        slug = coalition["slug"]
        for one in get(f"/v1/coalitions/{slug}/status")["commitments"]["by_category"]:
            for total in one["totals"]:
                assert total["known_min"] == total["known_max"]
                assert total["unknown_count"] == 0
                unit = total.get("currency") or total["unit"]
                totals[slug, one["category"], unit] += Decimal(total["known_min"])
    for country in COUNTRIES:
        for one in get(f"/v1/countries/{country}/commitments")["commitments"]:
            money, quantity = one["money"], one["quantity"]
            unit = money["currency"] if money else quantity["unit"]
            totals[one["coalition"], country, unit] += Decimal(str(money["min_amount"] if money else quantity["min"]))
    return totals


def _all(get: Callable[[str], Json], path: str) -> Iterator[Json]:
    after = ""
    while True:
        page = get(f"{path}?limit=500{after}")
        yield from page["items"]
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


def _imported(server: Server, door: str, file: Path) -> tuple[int, int]:
    """How many rows were recorded, and the most memory, in bytes, of the process that has read the file."""
    if door == "cli":
        said, peak = watched("import", file, STATE_DIR=str(file.parent / "state"))
        return int(said), peak
    headers = {"Authorization": f"Bearer {server.token or TOKEN}", "Content-Type": "application/jsonl"}
    done = exchange(server.port, "POST", "/v1/import", file.read_bytes(), headers).content["recorded"]
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    return done, int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> int:
    """Imports, compares, and says what it took; 1 where a total differs."""
    parser = argparse.ArgumentParser(prog="./run totals", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--door", choices=("api", "cli"), default="api")
    given = parser.parse_args()
    count, wanted = totals_of(rows_of(given.rows))
    with open_folder(large=True) as folder, serving(folder, "--no-seeds") as server:
        file = folder / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows_of(given.rows)), "utf-8")
        began = time.perf_counter()
        done, peak = _imported(server, given.door, file)
        spent = time.perf_counter() - began
        right = done == count and totals_found(server.get) == wanted
        took = f"{spent:.1f} s, {done / spent:,.0f} a second"
        compared = "agree" if right else "DIFFER"
        print(f"{done:,} rows by the {given.door}: {took}, {peak >> 20} MiB at most; totals {compared}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
