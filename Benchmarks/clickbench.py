#!/usr/bin/env python3
"""Questions about visits to web pages, on one wide table of the shape that ClickBench made known, with data and queries of our own.

Usage: clickbench.py [--rows 1e6] [--filter 'urls'] and the options that all benchmarks have (README.md).
"""
import pathlib
import sys

import suite

# Orders end with what makes them total, so that every engine gives the same rows.
QUERIES = {
    "01 rows": "SELECT count(*) FROM visits",
    "02 adverts": "SELECT count(*) FROM visits WHERE advert_engine <> 0",
    "03 means": "SELECT sum(advert_engine), count(*), avg(window_width), max(render_timing) FROM visits",
    "04 mean of users": "SELECT avg(CAST(user_id AS DOUBLE)) FROM visits",
    "05 users": "SELECT count(DISTINCT user_id) FROM visits",
    "06 phrases": "SELECT count(DISTINCT search_phrase) FROM visits",
    "07 first and last": "SELECT min(event_date), max(event_date), min(event_time), max(client_time) FROM visits",
    "08 by advert": "SELECT advert_engine, count(*) AS n FROM visits WHERE advert_engine <> 0 GROUP BY advert_engine ORDER BY n DESC, advert_engine",
    "09 users of regions": "SELECT region, count(DISTINCT user_id) AS users FROM visits GROUP BY region ORDER BY users DESC, region LIMIT 12",
    "10 regions": "SELECT region, sum(advert_engine), count(*) AS n, avg(window_width), count(DISTINCT user_id) FROM visits "
                  "GROUP BY region ORDER BY n DESC, region LIMIT 12",
    "11 phone models": "SELECT phone_model, count(DISTINCT user_id) AS users FROM visits WHERE phone_model <> '' GROUP BY phone_model "
                       "ORDER BY users DESC, phone_model LIMIT 12",
    "12 phones": "SELECT mobile_phone, phone_model, count(DISTINCT user_id) AS users FROM visits WHERE phone_model <> '' "
                 "GROUP BY mobile_phone, phone_model ORDER BY users DESC, mobile_phone, phone_model LIMIT 12",
    "13 top phrases": "SELECT search_phrase, count(*) AS n FROM visits WHERE search_phrase <> '' GROUP BY search_phrase ORDER BY n DESC, search_phrase LIMIT 12",
    "14 users of phrases": "SELECT search_phrase, count(DISTINCT user_id) AS users FROM visits WHERE search_phrase <> '' GROUP BY search_phrase "
                           "ORDER BY users DESC, search_phrase LIMIT 12",
    "15 engine and phrase": "SELECT search_engine, search_phrase, count(*) AS n FROM visits WHERE search_phrase <> '' "
                            "GROUP BY search_engine, search_phrase ORDER BY n DESC, search_engine, search_phrase LIMIT 12",
    "16 top users": "SELECT user_id, count(*) AS n FROM visits GROUP BY user_id ORDER BY n DESC, user_id LIMIT 12",
    "17 user and phrase": "SELECT user_id, search_phrase, count(*) AS n FROM visits GROUP BY user_id, search_phrase "
                          "ORDER BY n DESC, user_id, search_phrase LIMIT 12",
    "18 how many pairs": "SELECT count(*), sum(n) FROM (SELECT user_id, search_phrase, count(*) AS n FROM visits GROUP BY user_id, search_phrase) AS pairs",
    "19 user and minute": "SELECT user_id, extract(minute FROM event_time) AS m, search_phrase, count(*) AS n FROM visits "
                          "GROUP BY user_id, extract(minute FROM event_time), search_phrase ORDER BY n DESC, user_id, m, search_phrase LIMIT 12",
    "20 one user": "SELECT user_id, count(*) FROM visits WHERE user_id = 1234567890123456789 GROUP BY user_id",
    "21 urls with": "SELECT count(*) FROM visits WHERE url LIKE '%travel%'",
    "22 phrases at urls": "SELECT search_phrase, min(url), count(*) AS n FROM visits WHERE url LIKE '%travel%' AND search_phrase <> '' "
                          "GROUP BY search_phrase ORDER BY n DESC, search_phrase LIMIT 12",
    "23 titles": "SELECT search_phrase, min(url), min(title), count(*) AS n, count(DISTINCT user_id) FROM visits WHERE title LIKE '%Piano%' "
                 "AND url NOT LIKE '%.example/cart%' AND search_phrase <> '' GROUP BY search_phrase ORDER BY n DESC, search_phrase LIMIT 12",
    "24 whole rows": "SELECT * FROM visits WHERE url LIKE '%shop3%' ORDER BY event_time, watch_id LIMIT 12",
    "25 phrases by time": "SELECT search_phrase FROM visits WHERE search_phrase <> '' ORDER BY event_time, watch_id LIMIT 12",
    "26 phrases by name": "SELECT search_phrase FROM visits WHERE search_phrase <> '' ORDER BY search_phrase LIMIT 12",
    "27 newest": "SELECT event_time, watch_id, counter, url FROM visits ORDER BY event_time DESC, watch_id LIMIT 50",
    "28 length of urls": "SELECT counter, avg(length(url)) AS l, count(*) AS n FROM visits WHERE url <> '' GROUP BY counter "
                         "HAVING count(*) > 100 ORDER BY l DESC, counter LIMIT 20",
    "29 hosts of referers": "SELECT regexp_replace(referer, '^https?://(?:www\\.)?([^/]+)/.*$', '\\1') AS host, avg(length(referer)) AS l, count(*) AS n, "
                            "min(referer) FROM visits WHERE referer <> '' GROUP BY host HAVING count(*) > 100 ORDER BY n DESC, host LIMIT 20",
    "30 sixty sums": "SELECT " + ", ".join(f"sum(window_width + {number}) AS s{number}" for number in range(60)) + " FROM visits",
    "31 engine and address": "SELECT search_engine, client_address, count(*) AS n, sum(is_refresh), avg(window_width) FROM visits WHERE search_phrase <> '' "
                             "GROUP BY search_engine, client_address ORDER BY n DESC, search_engine, client_address LIMIT 12",
    "32 all groups of one": "SELECT watch_id, client_address, count(*) AS n, sum(is_refresh), avg(window_width) FROM visits "
                            "GROUP BY watch_id, client_address ORDER BY n DESC, watch_id LIMIT 12",
    "33 top urls": "SELECT url, count(*) AS n FROM visits GROUP BY url ORDER BY n DESC, url LIMIT 12",
    "34 url and constant": "SELECT 7 AS seven, url, count(*) AS n FROM visits GROUP BY seven, url ORDER BY n DESC, url LIMIT 12",
    "35 derived keys": "SELECT client_address, client_address - 1 AS a, client_address - 2 AS b, count(*) AS n FROM visits "
                       "GROUP BY client_address, client_address - 1, client_address - 2 ORDER BY n DESC, client_address LIMIT 12",
    "36 one counter": "SELECT url, count(*) AS n FROM visits WHERE counter = 3 AND event_date >= DATE '2024-03-05' AND event_date <= DATE '2024-03-25' "
                      "AND dont_count = 0 AND is_refresh = 0 AND url <> '' GROUP BY url ORDER BY n DESC, url LIMIT 12",
    "37 later pages": "SELECT url, count(*) AS n FROM visits WHERE counter < 20 AND is_link = 0 AND is_download = 0 GROUP BY url "
                      "ORDER BY n DESC, url LIMIT 12 OFFSET 500",
    "38 sources": "SELECT traffic_source, search_engine, CASE WHEN search_engine = 0 AND advert_engine = 0 THEN referer ELSE '' END AS source, count(*) AS n "
                  "FROM visits WHERE is_refresh = 0 GROUP BY traffic_source, search_engine, source ORDER BY n DESC, traffic_source, search_engine, source LIMIT 12",
    "39 windows": "SELECT window_width, window_height, count(*) AS n FROM visits WHERE is_mobile = 0 GROUP BY window_width, window_height "
                  "ORDER BY n DESC, window_width, window_height LIMIT 12 OFFSET 100",
    "40 by hour": "SELECT date_trunc('hour', event_time) AS h, count(*) AS n, sum(price), count(DISTINCT user_id) FROM visits "
                  "GROUP BY date_trunc('hour', event_time) ORDER BY h",
    "41 flags": "SELECT is_mobile, is_refresh, with_hash, is_not_bounce, sex, count(*), avg(age), sum(goals_reached) FROM visits "
                "GROUP BY is_mobile, is_refresh, with_hash, is_not_bounce, sex ORDER BY 1, 2, 3, 4, 5",
    "42 slow pages": "SELECT count(*), avg(render_timing), max(fetch_timing + connect_timing) FROM visits "
                     "WHERE response_end - response_start > 400 AND send_timing BETWEEN 100 AND 900 AND os IN (0, 3, 5, 8, 13)",
    "43 languages": "SELECT lower(browser_language), upper(browser_country), count(*) AS n, min(length(title)) FROM visits WHERE browser_language IN ('de', 'fr', 'it') "
                    "GROUP BY lower(browser_language), upper(browser_country) ORDER BY n DESC, 1, 2 LIMIT 20",
}
# The same question as these engines spell it.
OTHERS = {
    # It takes a constant behind GROUP BY for a position.
    "34 url and constant": {"datafusion": "SELECT 7 AS seven, url, count(*) AS n FROM visits GROUP BY url ORDER BY n DESC, url LIMIT 12"},
    "29 hosts of referers": {"polars": "- its SQL has no replacement by a regular expression"},
}


def main():
    parser = suite.options(__doc__)
    parser.add_argument("--rows", type=float, default=1e6, help="rows of the table")
    chosen = parser.parse_args()
    file = suite.folder(chosen.files, "visits") / f"visits-{chosen.rows:.0f}.parquet"
    if not file.exists():
        suite.make(pathlib.Path(__file__).with_name("make_visits.py"), chosen.rows, file)
    queries = [suite.Query(name, text, OTHERS.get(name, {})) for name, text in QUERIES.items()]
    return suite.Suite(f"Visits, {chosen.rows:.0f} rows", chosen, {"visits": file}).run(queries)


if __name__ == "__main__":
    sys.exit(main())
