"""Writes the table of clickbench.py: `make_visits.py ROWS FILE`. About 100 columns of visits to web pages, seeded.

What makes such tables what they are: most columns are small numbers and flags of few values, most texts are empty or one of
few, addresses and users are skewed (few are very frequent, most are seldom), and time grows with the rows, but not strictly.
"""
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.parquet

START = numpy.datetime64("2024-03-01T00:00:00", "us")
SECONDS = 31 * 86_400
GROUP = 125_000
SITES = ["shop", "news", "video", "mail", "bank", "travel", "forum", "maps", "games", "music", "weather", "wiki"]
PLACES = ["item", "list", "search", "user", "cart", "article", "help", "login", "photo", "offer"]
WORDS = ("bicycle repair garden lamp winter jacket cheap flights hotel lake recipe soup river concert ticket phone case "
         "used piano lessons paint kitchen table moon calendar birthday cake running shoes rain radar").split()
# Columns that hold one of few numbers: how many there are, and how strongly the first one prevails.
SMALL = {
    "good_event": (2, 9), "counter_class": (3, 6), "os": (90, 2), "user_agent": (80, 3), "java_enabled": (2, 2), "is_refresh": (2, 7),
    "referer_category": (60, 4), "url_category": (60, 4), "resolution_depth": (5, 5), "flash_major": (12, 2), "flash_minor": (9, 3),
    "net_major": (4, 8), "net_minor": (3, 8), "agent_major": (40, 2), "cookie_enabled": (2, 9), "script_enabled": (2, 9), "is_mobile": (2, 4),
    "mobile_phone": (70, 9), "ip_network": (3000, 5), "traffic_source": (11, 3), "search_engine": (30, 9), "advert_engine": (25, 30),
    "is_artificial": (2, 20), "time_zone": (26, 3), "silverlight_1": (6, 4), "silverlight_2": (4, 9), "silverlight_3": (30000, 9),
    "silverlight_4": (3, 9), "code_version": (400, 3), "is_link": (2, 9), "is_download": (2, 30), "is_not_bounce": (2, 2), "is_event": (2, 15),
    "is_parameter": (2, 20), "dont_count": (2, 20), "with_hash": (2, 8), "is_old_counter": (2, 30), "age": (60, 2), "sex": (3, 2),
    "income": (5, 2), "interests": (16000, 4), "robotness": (30, 9), "history_length": (40, 3), "http_error": (12, 40), "social_action": (9, 60),
    "window_name": (500, 4), "opener_name": (500, 7), "experiment": (16, 2), "partner": (300, 9), "campaign_group": (40, 12), "price_currency": (5, 20),
    "goals_reached": (20, 9), "has_gclid": (2, 25), "tablet": (2, 10), "charset": (12, 8), "connection": (7, 3), "touch": (2, 4), "dark": (2, 3),
    "consent": (4, 3), "cluster": (1000, 2),
}
# Times in milliseconds, most short, some very long.
TIMINGS = ["send_timing", "dns_timing", "connect_timing", "response_start", "response_end", "fetch_timing", "render_timing", "interactive_timing"]
# Texts that are mostly empty: how often they are not, and how many there are.
SELDOM = {
    "parameters": (0.04, 3000), "social_network": (0.01, 12), "social_source": (0.01, 40), "order_id": (0.003, 100_000), "openstat_service": (0.02, 5),
    "openstat_campaign": (0.02, 300), "openstat_ad": (0.02, 900), "utm_source": (0.08, 60), "utm_medium": (0.08, 12), "utm_campaign": (0.08, 700),
    "utm_content": (0.04, 900), "utm_term": (0.03, 2000), "from_tag": (0.02, 80), "coupon": (0.002, 50),
}


def skewed(random, count, rows, power):
    """Numbers below `count`, of which the small ones are the more frequent the larger the power is."""
    return (count * random.random(rows) ** power).astype(numpy.int64)


def phrases(random, count):
    sizes = random.integers(1, 5, count)
    return [" ".join(random.choice(WORDS, size)) + ("" if index % 3 else f" {index % 89}") for index, size in enumerate(sizes)]


def addresses(random, count):
    site, place, ending = (random.integers(0, len(each), count) for each in (SITES, PLACES, range(9)))
    lengths = random.integers(0, 5, count)
    return [f"https://{'www.' if number % 2 else ''}{SITES[site[number]]}{ending[number]}.example/{PLACES[place[number]]}/{number}"
            + "".join(f"{'&' if part else '?'}p{part}={(number * 31 + part) % 977}" for part in range(lengths[number])) for number in range(count)]


class Pools:
    """The texts that the rows choose from, made once."""

    def __init__(self, random, rows):
        self.users = random.integers(1, 2**62, max(rows // 6, 10))
        self.urls = pyarrow.array(addresses(random, max(rows // 5, 20)))
        self.referers = pyarrow.array([""] + addresses(random, max(rows // 8, 20)))
        self.titles = pyarrow.array([f"{' '.join(random.choice(WORDS, 3)).title()} - {SITES[number % len(SITES)]}" for number in range(max(rows // 10, 20))])
        self.phrases = pyarrow.array([""] + phrases(random, max(rows // 20, 20)))
        self.models = pyarrow.array([""] + [f"Model {chr(65 + number % 26)}{number}" for number in range(160)])
        self.languages = pyarrow.array("en de fr es it pt nl pl tr ru sv cs".split())
        self.seldom = {name: pyarrow.array([""] + [f"{name.split('_')[0]}-{number * 7919 % 100_003}" for number in range(count)])
                       for name, (_, count) in SELDOM.items()}


def group(random, pools, first, rows, total):
    """The columns of some rows, of which `first` come before."""
    columns = {}

    def choose(pool, power, empty=0.0):
        index = skewed(random, len(pool) - (1 if empty else 0), rows, power) + (1 if empty else 0)
        return pool.take(pyarrow.array(numpy.where(random.random(rows) < empty, 0, index)))

    columns["watch_id"] = random.integers(1, 2**62, rows)
    position = (numpy.arange(first, first + rows) / total * (SECONDS - 600) + random.integers(0, 600, rows)).astype(numpy.int64)
    time = START + position.astype("timedelta64[s]")
    columns["event_time"] = time
    columns["event_date"] = time.astype("datetime64[D]")
    columns["counter"] = skewed(random, 6000, rows, 4).astype(numpy.int32) + 1
    user = skewed(random, len(pools.users), rows, 2.2)
    columns["user_id"] = pools.users[user]
    columns["client_address"] = ((user * 2654435761 + random.integers(0, 3, rows)) % 2**31).astype(numpy.int32)
    columns["region"] = (user * 40503 % 5000 * (user * 7 % 100) // 100).astype(numpy.int32)
    columns["url"] = choose(pools.urls, 3)
    columns["referer"] = choose(pools.referers, 3, empty=0.2)
    columns["title"] = choose(pools.titles, 3)
    columns["search_phrase"] = choose(pools.phrases, 3, empty=0.87)
    columns["phone_model"] = choose(pools.models, 2, empty=0.93)
    columns["browser_language"] = choose(pools.languages, 3)
    columns["browser_country"] = choose(pools.languages, 2)
    for name, width in [("url_hash", 2**62), ("referer_hash", 2**62), ("phrase_hash", 2**62), ("remote_address", 2**31), ("request_number", 10**6)]:
        columns[name] = (skewed(random, max(total // 5, 20), rows, 3).astype(numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15) % numpy.uint64(width)).astype(numpy.int64)
    for name, sizes in [("screen_width", [1920, 1366, 1536, 390, 412, 2560, 0]), ("screen_height", [1080, 768, 864, 844, 915, 1440, 0]),
                        ("window_width", list(range(320, 1921, 7))), ("window_height", list(range(480, 1441, 5)))]:
        columns[name] = numpy.array(sizes, dtype=numpy.int32)[skewed(random, len(sizes), rows, 1.5)]
    for name, (count, power) in SMALL.items():
        columns[name] = skewed(random, count, rows, power).astype(numpy.int16 if count < 2**15 else numpy.int32)
    for name in TIMINGS:
        columns[name] = numpy.minimum(random.lognormal(5, 1.4, rows), 10**8).astype(numpy.int32)
    columns["price"] = numpy.where(random.random(rows) < 0.97, 0, random.integers(1, 10**6, rows)).astype(numpy.int64)
    columns["client_time"] = time + random.integers(-3600, 3600, rows).astype("timedelta64[s]")
    for name, (share, _) in SELDOM.items():
        columns[name] = choose(pools.seldom[name], 2, empty=1 - share)
    return pyarrow.table(columns)


def main():
    rows, path = int(float(sys.argv[1])), pathlib.Path(sys.argv[2])
    random = numpy.random.default_rng(20260)
    pools = Pools(random, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished, writer = path.with_suffix(".unfinished"), None
    for first in range(0, rows, GROUP):
        table = group(random, pools, first, min(GROUP, rows - first), rows)
        writer = writer or pyarrow.parquet.ParquetWriter(unfinished, table.schema, compression="snappy")
        writer.write_table(table)
    writer.close()
    unfinished.rename(path)


if __name__ == "__main__":
    main()
