"""Functions over columns, in varve and in DuckDB: the same value in every row.

Each family has a list of expressions; those that both engines compute are asked for together, and one by one where
something differs. An expression that one refuses must be refused by the other; KNOWN_DIFFERENCES says where we depart.
"""
import datetime
import decimal
import itertools
import random
import re

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from support import VarveError
from test_sql_oracle import approximately, rows_of

UTC = datetime.timezone.utc
ROWS = 160

# A pattern of the expression, and why varve gives another answer. It must still answer or refuse, not crash.
KNOWN_DIFFERENCES = [
    (r"^(upper|ucase)\(s\)$", "DuckDB makes the capital sharp s of 2017; Unicode's own mapping of one character leaves ß"),
    (r"^s !?~ ", "matches somewhere, as in PostgreSQL; DuckDB wants the whole text to match"),
    (r"^s (NOT )?SIMILAR TO ", "% and _ are wildcards, as in the standard; DuckDB takes the pattern for a regular expression"),
    (r"^s GLOB '\?'$", "a character, not a byte"),
    (r"\\w|\\d", "letters and digits of all of Unicode"),
    (r"^format\('\{:[^']*f\}\|?', x\)$", "digits behind the 17th are the number's own; DuckDB shows zeros, and NaN on the left"),
    (r"^round\(i, -1\)$", "does not fit is an error; DuckDB wraps"),
    (r"^round\(x, -[12]\)$", "NaN and infinity stay; DuckDB makes them 0"),
    (r"^d \* d$", "38 digits; DuckDB overflows at 18"),
    (r"^power\(y, -1\)$", "0 to the power of -1 is a division by zero"),
    (r"^trunc\(d, n % 3\)$|^strftime\(m, CASE", "DuckDB wants a constant"),
    (r"^epoch_ms\([mz]\)$", "rounded toward the past also before 1970"),
    (r"^(CAST\()?date_trunc\('(century|millennium)'|^date_diff\('century'|^date_(trunc|diff)\(p,", "centuries begin with 2001, as in PostgreSQL"),
    (r"^date_diff\('week'", "DuckDB miscounts Mondays across 1970"),
    (r"^try_strptime\(s, '%Y'\)$", "DuckDB has no years before 1"),
    (r"'1e400'", "is no DOUBLE; DuckDB makes it infinite"),
    (r"' true '|' 2024-01-05 ' AS TIME", "blanks around are left out for every type; DuckDB does so for some"),
    (r"^TRY_CAST\('[^']*' AS TIME\)$", "DuckDB also reads dates and hours of one digit as times"),
    (r"2024/01/05|2024 01 05|'epoch'|2024-01-05 10'|2024-01-05x|05 25:00:00|-05:30'", "dates are written with hyphens, and nothing is left over"),
    (r"10:00:00\+02' AS TIMESTAMP\)", "an offset is taken off, so that the clock is that of UTC; DuckDB and PostgreSQL drop it"),
    (r"24:00:00' AS DATE\)", "the end of a day is the next day"),
    (r"'5' AS INTERVAL", "an interval has a unit"),
    (r"^TRY_CAST\([xqbi] AS DATE\)$", "a number is no date: an error, not null"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One Parquet file with nulls, empties, extremes, NaN and Unicode; the FROM clause that reads it."""
    chance = random.Random(11)

    def column(values, kind, nulls=0.12):
        # Every value at least once, so that no case depends on luck.
        picked = list(values) + [chance.choice(values) for _ in range(ROWS - len(values))]
        chance.shuffle(picked)
        return pyarrow.array([None if chance.random() < nulls else value for value in picked], kind)

    texts = ["", " ", "a", "A", "abc", "ABC abc", "hello world", "a,b,,c", "%_\\", "ñ", "É", "Zürich", "日本語", "🜁x", "é",
             "👩‍👩‍👧!", "naïve café", "  padded  ", "a.b*c", "line\nbreak", "tab\there", "x" * 40, "0042", "-17", "/a/b/c.txt",
             "c:\\d\\e.tar.gz", "key=value", "ǅ", "ß", "a b/ü?&=~-_."]
    moments = [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(2024, 2, 29, 12, 30, 15, 123456),
               datetime.datetime(2000, 1, 1), datetime.datetime(2024, 12, 30, 23, 59, 59), datetime.datetime(1900, 3, 1, 1, 2, 3),
               datetime.datetime(2023, 3, 31, 11), datetime.datetime(2021, 1, 3, 4, 5, 6, 7), datetime.datetime(1, 1, 1),
               datetime.datetime(9999, 12, 31, 23, 59, 59, 999999), datetime.datetime(2024, 7, 1, 8)]
    table = pyarrow.table({
        "r": pyarrow.array(range(ROWS), pyarrow.int32()),
        "s": column(texts, pyarrow.string()),
        "t": column(["a", "b", "abc", "x", "", "é", "本", "hello", "c", " "], pyarrow.string()),
        "w": column(["duck", "luck", "duckdb", "martha", "marhta", "dixon", "dicksonx", "abcdef", "fedcba", "aaa", "Zoë"], pyarrow.string()),
        "i": column([0, 1, -1, 2, 7, 10, -15, 255, 2**31 - 1, -(2**31) + 1, 100000, 46341], pyarrow.int32()),
        "b": column([0, 1, -1, 3, 12, 18, 1000, -(10**12), 10**15, 2**62, 255, 65536], pyarrow.int64()),
        "n": column(list(range(0, 13)), pyarrow.int32()),
        "g": column([-3, -2, -1, 0, 1, 2, 3, 5], pyarrow.int64()),
        "x": column([0.0, 1.5, -2.25, 1e300, -1e-300, 0.1, 100.0, 3.0, 2.5, -2.5, 0.5, 1.005, 1e15, float("nan"), float("inf"), float("-inf")],
                    pyarrow.float64()),
        "y": column([0.0, 0.25, 0.5, 0.75, 1.0, 0.125, 0.999], pyarrow.float64()),
        "q": column([0.25, 1.0, 1.5, 2.0, 3.25, 10.0, 1e10], pyarrow.float64()),
        "d": column([decimal.Decimal(v) for v in ["0.00", "1.25", "-1.25", "99999999.99", "-0.01", "12.50", "2.50", "-2.55", "0.05"]],
                    pyarrow.decimal128(10, 2)),
        "e": column([m.date() for m in moments], pyarrow.date32()),
        "m": column(moments, pyarrow.timestamp("us")),
        "o": column(list(reversed(moments)), pyarrow.timestamp("us")),
        "z": column([m.replace(tzinfo=UTC) for m in moments if 1900 <= m.year <= 2100], pyarrow.timestamp("us", "UTC")),
        "c": column([datetime.time(0), datetime.time(23, 59, 59, 999999), datetime.time(12, 30), datetime.time(1, 2, 3, 4)], pyarrow.time64("us")),
        "bl": column([b"", b"abc", b"\x00\xff", b"a" * 64, b"a" * 55, b"a" * 119, "ü".encode()], pyarrow.binary()),
        "f": column([True, False], pyarrow.bool_()),
        "p": column(["year", "month", "day", "hour", "quarter", "week", "decade", "century", "minute", "second"], pyarrow.string()),
        "h": column(["aBc", "ff", "00", "0f1", "", "DEADbeef"], pyarrow.string()),
        "j": column(["YWJj", "", "YQ==", "YWI=", "//79"], pyarrow.string()),
        "k": column(list(range(5)), pyarrow.int32(), nulls=0),
    })
    path = tmp_path_factory.mktemp("functions") / "f.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=50)
    return f"read_parquet('{path}')"


@pytest.fixture(scope="module")
def oracle():
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def ask(engine, query):
    """The rows, or an error's text."""
    try:
        return rows_of(engine(query))
    except (VarveError, duckdb.Error, pyarrow.ArrowException) as error:
        return f"error: {error}"


def zero(value):
    return ("float", f"{0.0:.11e}") if value == ("float", "-0.0") else value


def differences(varve, oracle, source, expressions, width=24):
    """What differs, expression by expression; many are asked for at once."""
    ours = lambda text: varve.table(text)
    theirs = lambda text: oracle.execute(text).to_arrow_table()
    known = [pattern for pattern, _ in KNOWN_DIFFERENCES]
    found = []
    for start in range(0, len(expressions), width):
        part = expressions[start:start + width]
        query = "SELECT " + ", ".join(f"{text} AS c{number}" for number, text in enumerate(part)) + f" FROM {source} ORDER BY r"
        got, expected = ask(ours, query), ask(theirs, query)
        if got == expected and not isinstance(got, str):
            continue
        for text in part:
            if any(re.search(pattern, text) for pattern in known):
                continue
            query = f"SELECT {text} AS c FROM {source} ORDER BY r"
            got, expected = ask(ours, query), ask(theirs, query)
            if isinstance(got, str) and isinstance(expected, str):
                continue
            if isinstance(got, str) or isinstance(expected, str):
                found.append(f"{text}\n  varve:  {str(got)[:200]}\n  DuckDB: {str(expected)[:200]}")
                continue
            pairs = [(mine, his) for mine, his in zip(got, expected) if [zero(v) for v in mine] != [zero(v) for v in his]]
            if len(got) != len(expected) or pairs:
                found.append(f"{text}: {len(pairs)} of {len(expected)} rows\n" + "\n".join(
                    f"  varve {mine}, DuckDB {his}" for mine, his in pairs[:3]))
    return found


def each(template, **choices):
    """A template with every combination of the choices put in."""
    names = list(choices)
    return [template.format(**dict(zip(names, values))) for values in itertools.product(*choices.values())]


def assert_same(varve, oracle, source, expressions):
    found = differences(varve, oracle, source, expressions)
    assert not found, f"{len(found)} of {len(expressions)} differ\n" + "\n".join(found)


TEXT = (
    each("{f}(s)", f=["lower", "upper", "length", "len", "char_length", "reverse", "trim", "ltrim", "rtrim", "ascii", "unicode", "ord",
                      "strlen", "bit_length", "lcase", "ucase", "strip_accents", "nfc_normalize", "length_grapheme", "url_encode",
                      "regexp_escape", "parse_filename", "parse_dirname", "parse_dirpath", "md5", "sha1", "sha256", "hex", "to_hex",
                      "bin", "encode", "hex(encode", "parse_filename(lower"])[:31]
    + each("{f}(s, t)", f=["contains", "starts_with", "ends_with", "prefix", "suffix", "strpos", "instr", "trim", "ltrim", "rtrim"])
    + each("{f}(s, g)", f=["left", "right", "left_grapheme", "right_grapheme"])
    + each("substring(s, {a}, {b})", a=[1, 2, 5], b=[0, 1, 3, 100])
    + each("substring_grapheme(s, {a}, {b})", a=[1, 2], b=[1, 3])
    + each("{f}(s, {n}, '{c}')", f=["lpad", "rpad"], n=[0, 3, 12], c=["*", "xy", "é"])
    + each("split_part(s, '{c}', {n})", c=[",", "a", "本"], n=[1, 2, -1, 4])
    + each("replace(s, '{a}', '{b}')", a=["a", "", "本", "ab"], b=["", "zz", "é"])
    + each("translate(s, '{a}', '{b}')", a=["abc", "é本"], b=["xyz", "x", ""])
    + ["repeat(t, n)", "repeat(s, 2)", "concat(s, t, i)", "concat_ws('-', s, t, n)", "concat_ws(t, s, w)", "s || t", "s || n", "position('a' IN s)",
       "substring(s FROM 2 FOR 3)", "trim(BOTH 'x' FROM s)", "trim(LEADING ' ' FROM s)", "chr(n + 65)", "s ^@ t", "parse_filename(s, true)",
       "greatest(s, t)", "least(s, t, w)", "nullif(s, t)", "coalesce(s, t, 'z')", "if(f, s, t)", "ifnull(s, t)", "s IS DISTINCT FROM t",
       "s IS NOT DISTINCT FROM t", "s BETWEEN t AND w", "CASE s WHEN 'a' THEN 1 WHEN t THEN 2 ELSE n END", "s IN ('a', t, 'abc')",
       "CASE WHEN f THEN s WHEN n > 3 THEN t END", "octet_length(bl)", "substring(s, n)", "left(s, n)", "concat(s, NULL)"]
)

PATTERNS = (
    each("s {op} '{p}'", op=["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"], p=["a%", "%b%", "_", "%", "", "a_c%", "%É", "%\n%"])
    + each("s {op} '{p}'", op=["~", "!~", "SIMILAR TO", "NOT SIMILAR TO"], p=["a.*", "[a-z]+", "(abc|ABC abc)", "x{3,}", "\\d+"])
    + each("s GLOB '{p}'", p=["a*", "?", "*[bc]", "[!a]*", "*b*"])
    + ["s LIKE t", "s LIKE '%' || t || '%'", "s LIKE '%$_%' ESCAPE '$'", "s LIKE 'a!%' ESCAPE '!'", "w SIMILAR TO '%(uc|ar)%'"][:4]
    + each("regexp_matches(s, '{p}')", p=["a", "^a", "c$", "[[:digit:]]", "\\s", "(?i)ABC"])
    + each("regexp_full_match(s, '{p}')", p=["a", "[a-z]*", ".*"])
    + each("regexp_extract(s, '{p}', {g})", p=["(\\w)(\\w)", "([a-z]+) ([a-z]+)"], g=[0, 1, 2])
    + each("regexp_extract(s, '{p}', 0, '{o}')", p=["B", "b.c"], o=["i", "c", "s"])
    + each("regexp_replace(s, '{p}', '{r}'{o})", p=["a", "[aeiou]", "(b)(c)"], r=["", "x", "[\\\\0]"], o=["", ", 'g'", ", 'gi'"])
    + ["regexp_matches(s, regexp_escape(t))", "regexp_replace(s, t, 'x')", "regexp_extract(s, t)", "regexp_matches(s, 'B', 'i')",
       "regexp_full_match(s, regexp_escape(s))"]
)

DISTANCES = (
    each("{f}(w, '{o}')", f=["levenshtein", "editdist3", "damerau_levenshtein", "jaccard", "jaro_similarity", "jaro_winkler_similarity"],
         o=["duck", "martha", "xyz", "dickson", "Zoë", "a"])
    + each("{f}(s, t)", f=["levenshtein", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity"])
    + ["hamming(w, reverse(w))", "hamming(w, 'duck')", "mismatches(w, w)", "jaro_similarity(w, 'duck', 0.8)", "jaro_winkler_similarity(w, 'duck', y)",
       "jaccard(s, t)"]
)

BYTES = [
    "hex(bl)", "hex(b)", "hex(i)", "bin(b)", "bin(t)", "unhex(h)", "from_hex(h)", "to_base64(bl)", "base64(bl)", "from_base64(j)", "md5(bl)",
    "sha1(bl)", "sha256(bl)", "encode(s)", "decode(encode(s))", "url_decode(url_encode(s))", "url_decode(s)", "to_base(n, 2)", "to_base(abs(b), 36)",
    "to_base(n, 16, 8)", "unbin(bin(n))", "from_binary('101')", "unhex('zz')", "from_base64('YW')", "to_base(-1, 2)", "to_base(1, 37)", "decode(bl)",
    "md5(s || t)", "sha256(repeat(s, 20))", "hex(''::BLOB)", "hex(-1)", "unhex('')", "to_binary(7)", "octet_length(encode(s))", "bin(0)",
]

FORMATS = (
    each("format('{f}', i)", f=["{}", "{:,}", "{:_}", "{:d}", "{:x}", "{:X}", "{:o}", "{:b}", "{:5d}|", "{:<8}|", "{:^8}|", "{:+}", "{:08}", "{:#x}", "{:*>9}"])
    + each("format('{f}', x)", f=["{:.2f}", "{:e}", "{:10.3f}|", "{:<10.1f}|", "{:+.1f}", "{:.3g}", "{:E}"])
    + each("format('{f}', s, t)", f=["{} {}", "{1}-{0}", "{:>5}|{:<5}|", "{{}}{}", "{:.2}"])
    + each("printf('{f}', i)", f=["%d", "%5d|", "%-8d|", "%05d", "%x", "%X", "%o", "%+d", "%i"])
    + each("printf('{f}', y)", f=["%f", "%.2f", "%e", "%g", "%10.1f|", "%-10.2f|", "%+.1f"])
    + each("printf('{f}', s, i)", f=["%s:%d", "%10s|%d", "%-5s|%d", "%.2s|%d", "100%% %s %d"])
    + ["format('{}', d)", "format('{}', f)", "format('{}', e)", "printf('%s', i)", "format('{}')", "format('{')", "printf('%q', i)", "printf('%d', y)",
       "format('{:x}', s)", "format_bytes(b)", "formatReadableSize(b)", "formatReadableDecimalSize(b)", "bar(n, 0, 12, 12)", "bar(y, 0, 1, 10)", "bar(y, 0, 1)",
       "bar(x, -10, 10, 8)", "format(CASE WHEN f THEN '<{}>' ELSE '{}' END, i)"]
)

NUMBERS = (
    each("{f}(x)", f=["abs", "floor", "ceil", "ceiling", "round", "trunc", "sign", "isnan", "isinf", "isfinite", "exp", "cbrt", "atan",
                      "sinh", "tanh", "degrees", "radians", "even", "signbit", "asinh", "-"])
    + each("{f}(q)", f=["sqrt", "ln", "log", "log2", "log10", "gamma", "lgamma", "acosh", "exp", "cosh"])
    + each("{f}(y)", f=["asin", "acos", "sin", "cos", "tan", "atan", "round", "even"])
    + each("{f}(d)", f=["abs", "floor", "ceil", "round", "trunc", "sign", "even", "-", "+", "sqrt(abs"])[:9]
    + each("{f}(i)", f=["abs", "sign", "bit_count", "~", "-", "even"])
    + each("round({c}, {n})", c=["x", "d", "q", "i", "b"], n=[0, 1, 2, -1, -2])
    + each("trunc({c}, {n})", c=["x", "d", "i"], n=[0, 1, -1])
    + each("{a} {op} {b}", a=["n", "d", "y"], op=["+", "-", "*"], b=["n", "g", "y", "2", "d"])
    + each("{a} // {b}", a=["i", "b", "n"], b=["7", "-3", "(n + 1)"])
    + each("{a} % {b}", a=["i", "b", "n", "d"], b=["7", "-3", "(n + 1)"])
    + each("{a} / {b}", a=["i", "d", "y"], b=["4", "(n + 1)", "q"])
    + each("n {op} {b}", op=["&", "|", "<<", ">>"], b=["1", "2", "(n % 3)"])
    + each("{f}(b, i)", f=["xor", "gcd", "greatest", "least"])
    + each("lcm(n, {b})", b=["4", "g", "n", "0"])
    + each("power({a}, {b})", a=["y", "q", "n"], b=["2", "0.5", "0", "-1"])[:9]
    + ["factorial(n)", "factorial(n + 25)", "gcd(n, 12)", "nextafter(y, 2)", "nextafter(x, 0)", "round_even(y * 10, 0)", "round_even(q, 1)",
       "log(2, q)", "log(10, q)", "pow(2, n)", "2 ^ n", "2 ** n", "atan2(y, q)", "cot(q)", "fmod(n, 4)", "fmod(g, 3)", "mod(g, 3)", "fdiv(n, 4)", "fdiv(g, 2)", "divide(g, 2)",
       "add(n, g)", "subtract(n, g)", "multiply(n, g)", "greatest(n, g, 3)", "least(n, NULL, g)", "n BETWEEN 2 AND g", "NOT n BETWEEN 2 AND 5", "atanh(y * 0.9)",
       "round(y * 100, n)", "round(q, n % 3)", "trunc(d, n % 3)", "pi()", "i IS DISTINCT FROM n", "abs(i) + n", "i::BIGINT * i", "b % 1000 + i", "d * d", "d / 3", "x + y", "x * 2",
       "xor(n, 5)", "bit_count(b)", "-n", "@n"][:-1]
)

TIMES = (
    each("date_part('{p}', {c})", p=["year", "month", "day", "quarter", "week", "dow", "isodow", "doy", "decade", "century", "millennium", "isoyear",
                                     "yearweek", "era", "julian"], c=["e", "m"])
    + each("date_part('{p}', {c})", p=["hour", "minute", "second", "millisecond", "microsecond", "epoch"], c=["m", "c", "z"])
    + each("date_part('{p}', {c})", p=["year", "month", "day", "hour"], c=["z"])
    + each("{p}({c})", p=["year", "quarter", "month", "week", "weekofyear", "day", "dayofmonth", "dayofweek", "weekday", "isodow", "dayofyear", "decade",
                          "century", "millennium", "isoyear", "yearweek", "era", "last_day", "dayname", "monthname", "epoch", "epoch_ms", "epoch_us", "julian"],
           c=["e", "m"])
    + each("{p}({c})", p=["hour", "minute", "second", "millisecond", "microsecond", "nanosecond"], c=["m", "c"])
    + each("extract({p} FROM m)", p=["year", "month", "hour", "second", "epoch", "dow"])
    + each("date_trunc('{p}', m)", p=["millennium", "century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond",
                                      "isoyear"])
    + each("CAST(date_trunc('{p}', e) AS DATE)", p=["century", "decade", "year", "quarter", "month", "week", "day"])
    + each("date_diff('{p}', m, o)", p=["century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "isoyear"])
    + each("date_sub('{p}', m, o)", p=["millennium", "century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"])
    + each("date_sub('{p}', e, o)", p=["year", "month", "day"])
    + each("date_diff('{p}', e, CAST(o AS DATE))", p=["year", "month", "week", "day"])
    + each("date_sub('{p}', c, TIME '12:00:00')", p=["hour", "minute", "second"])
    + each("date_diff('{p}', c, TIME '12:00:00')", p=["hour", "minute", "second"])
    + each("strftime({c}, '{f}')", c=["e", "m"], f=["%Y-%m-%d", "%d.%m.%y", "%H:%M:%S", "%I:%M %p", "%a %A %b %B", "%j %U %W %w %u", "%G-%V", "%-d/%-m",
                                                    "%f", "%g", "%c", "%x", "%X", "%%", "%-H %-M %-S %-I %-j %-y", "%s"][:15])
    + each("time_bucket(INTERVAL '{w}', {c})", w=["1 day", "2 weeks", "7 days", "1 month", "3 months", "1 year", "90 minutes"], c=["m"])
    + each("time_bucket(INTERVAL '{w}', e)", w=["1 day", "10 days", "2 months"])
    + each("time_bucket(INTERVAL '{w}', m, TIMESTAMP '2020-02-03 04:05:06')", w=["1 day", "5 hours", "1 month", "1 year"])
    + ["CAST(age(m, o) AS VARCHAR)", "CAST(age(o, m) AS VARCHAR)", "CAST(age(e, CAST(o AS DATE)) AS VARCHAR)", "CAST(m - o AS VARCHAR)", "e - CAST(o AS DATE)",
       "e + n", "e - n", "m + INTERVAL '1 month'", "m - INTERVAL '36 hours'", "m + to_days(n)", "m + to_months(n) - to_hours(n)", "e + INTERVAL '1 day'",
       "c + INTERVAL '15 hours'", "c - to_minutes(n)", "e + c", "c + e", "date_add(e, INTERVAL '1 month')", "last_day(m)", "make_date(2000 + n, 1 + n % 12, 1)",
       "make_date(n)", "make_time(n, n, n + 0.5)", "make_timestamp(2000 + n, 1, 2, n, n, y)", "make_timestamp(b)", "make_date(2023, 2, 29)", "make_time(25, 0, 0)",
       "epoch_ms(b % 1000000)", "strptime('2024-02-29 12:30', '%Y-%m-%d %H:%M')", "strptime(strftime(e, '%d/%m/%Y'), '%d/%m/%Y')", "try_strptime(s, '%Y')",
       "strptime(s, '%Y')", "date_trunc(p, m)", "date_part(p, m)", "date_diff(p, m, o)", "strftime(m, CASE WHEN f THEN '%Y' ELSE '%m' END)", "strftime('%Y', e)",
       "epoch_ns(TIMESTAMP '2024-01-01')", "epoch_us(c)", "epoch_ms(c)", "isfinite(e)", "isinf(m)", "isfinite(m)", "CAST(m AS DATE)", "CAST(m AS TIME)", "CAST(e AS TIMESTAMP)",
       "m < o", "e = CAST(m AS DATE)", "greatest(m, o)", "m BETWEEN o AND TIMESTAMP '2024-06-01'", "CAST(z AS VARCHAR)", "CAST(z AS DATE)", "to_timestamp(n)", "to_timestamp(y)",
       "epoch_ms(z)", "epoch(z)", "date_trunc('month', z)", "z + INTERVAL '1 month'", "z - INTERVAL '1 day'", "date_diff('day', z, TIMESTAMPTZ '2024-01-01 00:00:00+00')",
       "TIMESTAMP '294247-01-01' + to_years(n)", "DATE '5881580-07-10' + n"]
)

INTERVALS = [f"CAST({text} AS VARCHAR)" for text in (
    each("{f}(n)", f=["to_years", "to_quarters", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds", "to_milliseconds", "to_microseconds",
                      "to_decades", "to_centuries", "to_millennia"])
    + ["to_seconds(y)", "to_milliseconds(y)", "to_days(n) + to_hours(n)", "to_months(n) - to_days(n)", "to_days(n) * 3", "2 * to_months(n)", "INTERVAL '1 day' * y",
       "INTERVAL '1 month' * 0.5", "to_days(n) / 2", "INTERVAL '1 month' / 4", "-to_days(n)", "date_trunc('day', INTERVAL '1 day 5 hours')",
       "date_trunc('quarter', INTERVAL '14 months')", "date_trunc('year', to_months(n))", "date_trunc('hour', to_minutes(n * 11))", "INTERVAL 1 DAY", "INTERVAL '1' DAY",
       "INTERVAL (n) HOUR", "normalized_interval(INTERVAL '40 days 30 hours')", "TIMESTAMP '2024-03-31 10:00' - TIMESTAMP '2024-02-29 11:00'", "m - DATE '2000-01-01'"]
)] + each("date_part('{p}', to_months(n) + to_days(i % 1000) + to_seconds(n))", p=["year", "month", "day", "hour", "second", "quarter", "epoch", "decade", "century"]) + [
    "to_days(n) = to_hours(24 * n)", "to_days(30) = to_months(1)", "to_months(1) < to_days(31)", "to_days(n) > to_hours(40)", "epoch_ms(to_days(n))", "epoch(to_hours(n))"]

NUMBER_TEXTS = ["12", " 12 ", "1_000", "1e3", "1.5", "2.5", "-1.5", "+5", "1.", ".5", "0x1F", "0b101", "", " ", "1__0", "_1", "1_", "1 2", "abc", "1e10", "-0", "00012", "2147483647",
                "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "1e400", "inf", "-Infinity", "NaN", "nan", "1e-5", "0.005", "0.015", "-0.005", "99.995", "1e",
                "e5", "--1", "1-", "0x", "1.5e1", "1_0.5", "0.1_5", "1E+2", "\t7\n"]
TIME_TEXTS = ["2024-02-29", "2024-1-5", "2024/01/05", " 2024-01-05 ", "2024-01-05 10:00", "20240105", "2024-02-30", "2024-13-01", "0044-03-15 (BC)", "2024-01-05T10:00:00",
              "2024-01-05 10:00:00.1234567", "2024-01-05 10:00:00+02", "2024-01-05T10:00:00Z", "2024-01-05 24:00:00", "2024-01-05 25:00:00", "epoch", "2024 01 05", "2024.01.05",
              "2024-01-05 10", "10:00", "1:2:3", "23:59:59.9", "24:00:00", "", "abc", "2024-01-05 10:00:00 UTC", "99999-01-01", "-0001-01-01", "2024-01-05 10:00:00 -05:30", "2024-01-05x"]
SPAN_TEXTS = ["1 day", "1 year 2 months -3 days 04:05:06.7", "1y", "1.5 days", "2 weeks", "90 minutes", "-1 month", "1 day ago", "", "abc", "5", "1 quarter", "3 centuries", "00:00:01",
              "1 mon 2 d 3 h 4 m 5 s 6 ms 7 us", "25:00:00", "1 day 1 day"]

CASTS = (
    each("TRY_CAST('{v}' AS {t})", v=NUMBER_TEXTS, t=["INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL(9,2)", "DECIMAL(38,0)", "BOOLEAN"])
    + each("TRY_CAST('{v}' AS BOOLEAN)", v=["true", "T", "yes", "y", "1", "f", "no", "N", "0", "FALSE", "tru", " true "])
    + each("TRY_CAST('{v}' AS {t})", v=TIME_TEXTS, t=["DATE", "TIMESTAMP", "TIME"])
    + each("CAST(TRY_CAST('{v}' AS INTERVAL) AS VARCHAR)", v=SPAN_TEXTS)
    + each("CAST({c} AS {t})", c=["n", "g", "f", "y", "d"], t=["INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DECIMAL(12,1)", "BOOLEAN"])
    + each("TRY_CAST({c} AS {t})", c=["x", "q", "b", "i", "s"], t=["INTEGER", "BIGINT", "DECIMAL(5,1)", "VARCHAR", "BOOLEAN", "DOUBLE", "DATE"])[:28]
    + each("CAST({c} AS VARCHAR)", c=["i", "b", "x", "y", "d", "e", "m", "c", "f", "bl", "z"])
    + ["CAST(x AS INTEGER)", "CAST(s AS INTEGER)", "CAST(b AS INTEGER)", "CAST(s AS DATE)", "try(CAST(s AS INTEGER))", "1.005::DECIMAL(3,2)", "99.99::DECIMAL(3,1)", "s::INTEGER",
       "CASE WHEN false THEN 1 // 0 ELSE n END", "coalesce(n, 'x'::INTEGER)", "CASE WHEN n IS NOT NULL THEN n ELSE CAST(s AS INTEGER) END"][:7]
)


@pytest.mark.parametrize("family", ["TEXT", "PATTERNS", "DISTANCES", "BYTES", "FORMATS", "NUMBERS", "TIMES", "INTERVALS", "CASTS"])
def test_functions_give_what_duckdb_gives(module_varve, oracle, data, family):
    assert_same(module_varve, oracle, data, globals()[family])


def test_weeks_of_years_before_the_first(varve):
    days = ["0002-01-15", "0001-01-15", "0001-01-01"]
    sql = ", ".join(f"yearweek(DATE '{day}' - {back})" for day in days for back in (0, 10, 30, 400, 4000))
    assert varve.rows(f"SELECT {sql}") == duckdb.sql(f"SELECT {sql}").fetchall()
