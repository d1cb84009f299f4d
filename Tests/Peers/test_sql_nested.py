"""Lists, structs, maps and JSON in SQL: the same expressions over the same rows in varve and in DuckDB.

Values are compared as Python values and, unless the query says otherwise, as the text that a cast to VARCHAR gives.
"""
import datetime
import decimal
import math
import random
import re

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from support import VarveError


@pytest.fixture(scope="module")
def oracle():
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
    return connection


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A Parquet file of nested columns with nulls and empties at every level, and one of JSON texts."""
    folder = tmp_path_factory.mktemp("nested")
    chance = random.Random(11)

    def maybe(make, nulls=0.15):
        return None if chance.random() < nulls else make()

    def many(make, most=6, nulls=0.15):
        return maybe(lambda: [make() for _ in range(chance.choice([0, 0, 1, 2, 3, most]))], nulls)

    def integer():
        return maybe(lambda: chance.choice([0, 1, 2, 3, 4, 5, -1, 100, 2**31 - 1, -(2**31)]))

    def text():
        return maybe(lambda: chance.choice(["", " ", "a", "b", "NULL", "it's", 'say "x"', "ñ", "日本語の長いテキスト", "🜁", "a,b", "{k=v}", "[1]",
                                            "quite a long text that is not inline"]))

    def number():
        return maybe(lambda: chance.choice([0.0, -0.0, 1.5, -2.25, 1e300, float("nan"), float("inf"), 0.1]))

    rows = 300
    table = pyarrow.table({
        "id": pyarrow.array(range(rows), pyarrow.int32()),
        "k": pyarrow.array([integer() for _ in range(rows)], pyarrow.int32()),
        "l": pyarrow.array([many(integer) for _ in range(rows)], pyarrow.list_(pyarrow.int32())),
        "m": pyarrow.array([many(integer, 2) for _ in range(rows)], pyarrow.list_(pyarrow.int32())),
        "t": pyarrow.array([many(text) for _ in range(rows)], pyarrow.list_(pyarrow.string())),
        "x": pyarrow.array([many(number) for _ in range(rows)], pyarrow.list_(pyarrow.float64())),
        "d": pyarrow.array([many(lambda: maybe(lambda: decimal.Decimal(chance.choice(["1.25", "-0.50", "99.99"])))) for _ in range(rows)],
                           pyarrow.list_(pyarrow.decimal128(9, 2))),
        "b": pyarrow.array([many(lambda: maybe(lambda: chance.random() < 0.5)) for _ in range(rows)], pyarrow.list_(pyarrow.bool_())),
        "e": pyarrow.array([many(lambda: maybe(lambda: datetime.date(2024, chance.randint(1, 12), 1))) for _ in range(rows)],
                           pyarrow.list_(pyarrow.date32())),
        "ll": pyarrow.array([many(lambda: many(integer, 3)) for _ in range(rows)], pyarrow.list_(pyarrow.list_(pyarrow.int32()))),
        "s": pyarrow.array([maybe(lambda: {"a": integer(), "b": text(), "c": many(integer, 2)}) for _ in range(rows)],
                           pyarrow.struct([("a", pyarrow.int32()), ("b", pyarrow.string()), ("c", pyarrow.list_(pyarrow.int32()))])),
        "ls": pyarrow.array([many(lambda: maybe(lambda: {"p": integer(), "q": text()})) for _ in range(rows)],
                            pyarrow.list_(pyarrow.struct([("p", pyarrow.int32()), ("q", pyarrow.string())]))),
        "mp": pyarrow.array([maybe(lambda: [(key, integer()) for key in chance.sample(["a", "b", "c", "日"], chance.randint(0, 4))])
                             for _ in range(rows)], pyarrow.map_(pyarrow.string(), pyarrow.int32())),
        "w": pyarrow.array([text() for _ in range(rows)], pyarrow.string()),
    })
    pyarrow.parquet.write_table(table, folder / "n.parquet", row_group_size=110)

    def json(depth=0):
        kind = chance.randint(0, 7 if depth < 3 else 4)
        if kind <= 4:
            return chance.choice(["1", "-7", "2.5", "1e3", '"x"', '"ñ \\u00e9 \\n"', "true", "false", "null", '""', "12345678901234567890"])
        if kind == 5:
            return "[" + ", ".join(json(depth + 1) for _ in range(chance.randint(0, 3))) + "]"
        keys = chance.sample(["a", "b", "c d", "é"], chance.randint(0, 3))
        return "{" + ", ".join(f'"{key}": {json(depth + 1)}' for key in keys) + "}"

    texts = pyarrow.table({
        "id": pyarrow.array(range(rows), pyarrow.int32()),
        "j": pyarrow.array([maybe(json, 0.1) for _ in range(rows)], pyarrow.string()),
    })
    pyarrow.parquet.write_table(texts, folder / "j.parquet")
    return {"n": f"read_parquet('{folder}/n.parquet')", "j": f"read_parquet('{folder}/j.parquet')"}


def deep(value):
    """A value of any nesting as something that is equal exactly when the values are."""
    if isinstance(value, dict):
        return ("struct", tuple((key, deep(one)) for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(deep(one) for one in value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return ("float", "NaN" if math.isnan(value) else f"{value + 0.0:.11e}")
    if isinstance(value, int):
        return ("exact", decimal.Decimal(value))
    if isinstance(value, decimal.Decimal):
        return ("exact", value.normalize() if value else decimal.Decimal(0))
    return (type(value).__name__, value)


def rows_of(table):
    return [tuple(deep(value) for value in row) for row in zip(*[column.to_pylist() for column in table.columns])]


def difference(varve, oracle, query):
    """None when both give the same rows or both refuse, else what is different."""
    try:
        expected = rows_of(oracle.execute(query).to_arrow_table())
    except duckdb.Error as error:
        expected = f"error: {error}"
    try:
        got = rows_of(varve.table(query))
    except VarveError as error:
        got = f"error: {error}"
    if isinstance(expected, str) and isinstance(got, str):
        return None
    if isinstance(expected, str) or isinstance(got, str):
        return f"{query}\n  varve:  {str(got)[:400]}\n  DuckDB: {str(expected)[:400]}"
    # An ORDER BY inside parentheses orders something else.
    if not re.search(r"ORDER BY [^)]*$", query):
        expected, got = sorted(expected, key=repr), sorted(got, key=repr)
    if got == expected:
        return None
    place = next((index for index, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))
    return (f"{query}\n  varve {len(got)} rows, DuckDB {len(expected)} rows; from row {place} on"
            f"\n  varve:  {got[place:place + 2]}\n  DuckDB: {expected[place:place + 2]}")


def assert_agree(varve, oracle, queries):
    differences = [text for text in (difference(varve, oracle, query) for query in queries) if text]
    assert not differences, f"{len(differences)} of {len(queries)} differ\n" + "\n".join(differences)


def lines(text):
    return [line.strip() for line in text.strip().splitlines() if line.strip() and not line.strip().startswith("#")]


def as_text(expressions):
    """One query for each expression: its text, which shows values and their types' forms."""
    return [f"SELECT CAST(({expression}) AS VARCHAR) AS r" for expression in expressions]


def over(source, expressions):
    """Each expression for all rows of a table, in order."""
    return [f"SELECT id, CAST(({expression}) AS VARCHAR) AS r FROM {source} ORDER BY id" for expression in expressions]


CONSTANTS = r"""
[1,2,3][0]
[1,2,3][NULL]
[1,2,3][-1]
[1,2,3][1:NULL]
[1,2,3,4,5][2:3]
[1,2,3,4,5][-2:]
[1,2,3,4,5][:-2]
[1,2,3,4,5][2:5:2]
[1,2,3,4,5][5:1:-1]
[1,2,3,4,5][:-:-1]
[1,2,3,4,5][5:2:-2]
[1,2,3,4,5][0:2]
[1,2,3,4,5][-10:2]
[1,2,3,4,5][4:100]
[1,2,3,4,5][4:2]
list_slice([1,2,3],NULL,2)
list_slice([1,2,3],2,NULL)
list_slice([1,2,3],1,3,2)
'hello'[2]
'hello'[2:3]
'hello'[-2:]
map {'a':1,'b':2}['a']
map {'a':1,'b':2}['c']
element_at(map {'a':1,'b':2},'a')
element_at(map {'a':1,'b':2},'c')
map_extract(map {'a':1,'b':2},'a')
map_extract(map {'a':1,'b':2},'c')
map_extract_value(map {'a':1,'b':2},'c')
map {'a':1,'b':2}[NULL]
map_extract(NULL::MAP(VARCHAR,INT),'c')
row(1,'x')
row(1,'x')[1]
struct_extract(row(1,'x'),2)
{'a':1,'b':'x'}['b']
{'a':1,'b':'x'}[1]
{'a':1,'B':'x'}.b
struct_pack(a:=1,b:='q')
struct_insert({'a':1},b:=2)
struct_keys({'a':1,'c':3})
struct_values({'a':1,'c':3})
struct_concat({'a':1},{'c':3})
struct_contains(row(1,2),2)
struct_position(row(1,2),2)
map([1,2],['a','b'])
map([1,1],['a','b'])
map([1,NULL],['a','b'])
map([1],['a','b'])
map()
map {}
map_from_entries([(1,'a'),(2,'b')])
map_from_entries([{'k':1,'v':2}])
map_from_entries(NULL)
map(NULL,NULL)
cardinality(map {1:2})
map_keys(map {1:2})
map_values(map {1:2})
map_entries(map {1:2})
map_concat(map {1:2},map {1:3,4:5})
map_contains(map {1:2},1)
map_contains_value(map {1:2},2)
map_contains_entry(map {1:2},1,2)
len([1,2,NULL])
length([1,2])
array_length([1,2])
array_length([1,2],1)
len('abc')
list_contains([1,2,NULL],NULL)
list_contains([1,2,NULL],3)
list_contains(NULL,3)
list_position([1,2,NULL],NULL)
list_position([1,2,NULL],3)
list_indexof([1,2,3],3)
list_concat([1],[2],[3])
list_concat([1],NULL)
list_concat(NULL,NULL)
[1]||[2]
[1]||NULL
[1]||2
1||[2]
list_append([1],NULL)
list_append(NULL,1)
list_prepend(1,[2])
array_push_back([1],2)
array_push_front([1],2)
array_pop_back([1,2])
array_pop_front([1,2])
list_sort([3,NULL,1])
list_sort([3,NULL,1],'DESC')
list_sort([3,NULL,1],'DESC','NULLS FIRST')
list_reverse_sort([3,NULL,1])
list_reverse_sort([3,NULL,1],'NULLS LAST')
list_grade_up([3,NULL,1])
list_unique([3,NULL,1,3,NULL])
list_aggregate([1,2,3],'sum')
list_aggregate([1,2,3],'string_agg','|')
list_sum([1,2])
list_avg([1,2])
list_min([1,2])
list_count([1,NULL])
list_first([NULL,1])
list_last([NULL,1])
list_any_value([NULL,1])
list_bool_and([true,false])
list_histogram([1,1,2])
list_median([1,2,3])
list_mode([1,2,2])
list_string_agg(['a','b'])
list_product([1,2])
list_stddev_samp([1,2])
list_sum([])
flatten([[1],[2,NULL],NULL,[]])
flatten(NULL)
list_zip([1,2],['a'])
list_zip([1,2],['a'],true)
list_zip([1,2],NULL)
list_resize([1,2],4)
list_resize([1,2],4,0)
list_resize([1,2],1)
range(5)
range(2,10,3)
range(5,0,-2)
range(1,5,0)
generate_series(1,3)
range(date '2020-01-01', date '2020-01-04', interval 1 day)
generate_series(timestamp '2020-01-01', timestamp '2020-01-02', interval '12 hours')
list_has_any([1,2],[2,3])
list_has_all([1,2],[2])
[1,2] && [2]
[1,2] @> [2]
[2] <@ [1,2]
list_intersect([1,2,2,NULL],[2,NULL])
array_to_string([1,NULL,3],'-')
string_split('a,b,,c',',')
string_split('abc','')
string_split_regex('a1b22c','[0-9]+')
regexp_extract_all('a1b22c','[0-9]+')
regexp_extract_all('a1b22c','([a-z])([0-9]+)',2)
regexp_split_to_array('a1b22c','[0-9]+')
list_reverse([1,2,NULL])
list_select([1,2,3],[3,1,9])
list_where([1,2,3],[true,false,true])
list_value(1,2,'a')
[1,'a']
[1,2.5]
[1,NULL]
[]
[NULL]
list_transform([1,2],x->x+1)
['a' || chr(10), chr(9) || 'b', 'c' || chr(13) || 'd', chr(11), 'e' || chr(12)]
list_transform([1,2],lambda x: x+1)
list_transform([1,2],lambda x,i: x+i)
list_filter([1,2,NULL],lambda x: x>1)
list_reduce([1,2,3],lambda a,b: a+b)
list_reduce([1,2,3],lambda a,b: a+b,100)
list_reduce([],lambda a,b: a+b)
list_reduce([1,2,3],lambda a,b,i: a+b*i)
[x+1 for x in [1,2,3] if x>1]
[x+i for x,i in [1,2,3] if i>1]
1 in [1,2]
3 = any([1,2,3])
1 in map {1:2}
{'a':'it''s','b':NULL,'c':['x y','[',''],'d':' lead'}
['NULL','null',NULL,'a"b','a\b','a,b','a:b','a=b','{x}']
MAP {'a b':1,'c=d':2, 'q''s':3}
row(1,'a b')
[1.0::double, 'nan'::double]
[date '2020-01-01']
[timestamp '2020-01-01 00:00:00']
['a'::blob]
[[1,2],[],NULL]
{'a b':1,'it''s':2}
'[1,2,3]'::INT[]
'[1, NULL, 3]'::INT[]
'[a, "b c", ''d e'', null]'::VARCHAR[]
'[]'::INT[]
'[[1],[2,3]]'::INT[][]
'{''a'': 1, ''b'': x}'::STRUCT(a INT, b VARCHAR)
'{a: 1, b: x y}'::STRUCT(a INT, b VARCHAR)
'{b: 1}'::STRUCT(a INT, b VARCHAR)
'{a: 1, z: 1}'::STRUCT(a INT, b VARCHAR)
'{a=1, b=2}'::MAP(VARCHAR,INT)
'{}'::MAP(VARCHAR,INT)
'(1, 2)'::STRUCT(a INT, b INT)
'[1,2'::INT[]
try_cast('[1,2' as INT[])
try_cast('[1,x]' as INT[])
'[1,x]'::INT[]
{'a':1,'b':2}::STRUCT(b INT, a INT)
{'a':1,'b':2}::STRUCT(x INT, y INT)
{'a':1,'b':2}::STRUCT(a INT)
{'a':1}::STRUCT(a INT, c INT)
row(1,2)::STRUCT(a INT, b INT)
[1,2]::VARCHAR[]
['1','2']::INT[]
MAP {1:'2'}::MAP(VARCHAR,INT)
[1,2]::VARCHAR
'[''it\''s'']'::VARCHAR[]
'["a\"b"]'::VARCHAR[]
'[ a  ,  b ]'::VARCHAR[]
'  [1]  '::INT[]
'[1,]'::INT[]
'[,1]'::INT[]
'["NULL"]'::VARCHAR[]
'[''NULL'', NULL]'::VARCHAR[]
'[a b]'::VARCHAR[]
'[{a:1},{a:2}]'::STRUCT(a INT)[]
'{a: [1,2]}'::STRUCT(a INT[])
'{"a": {"b": 1}}'::STRUCT(a STRUCT(b INT))
'{1=[a,b]}'::MAP(INT,VARCHAR[])
[1,2]=[1,2]
[1,NULL]=[1,NULL]
[1,NULL]=[1,2]
[1,NULL]<[1,2]
[1,2]<[1,2,3]
[]<[NULL]
{'a':1,'b':NULL}={'a':1,'b':NULL}
{'a':1,'b':NULL}={'a':1,'b':1}
{'a':1,'b':NULL}<{'a':1,'b':1}
(1,2)<(1,3)
row(1,NULL) is null
[1] is distinct from [1,NULL]
MAP {1:2}=MAP {1:2}
MAP {1:2}<MAP {1:3}
[1]=[1.0]
map_from_entries([(1,'a'),(1,'b')])
list_min(['b','a'])
list_max([[1],[2]])
list_transform([], lambda x: x+1)
list_transform([[1,2],[3]], lambda x: list_transform(x, lambda y: y+len(x)))
list_filter([1,2,3], lambda x, i: i>1)
apply([1],lambda x: x)
list_apply([1],lambda x: x)
array_filter([1],lambda x: x>0)
list_any_value([])
list_contains([[1],[2]],[1])
list_concat([1],['a'])
list_append([1],'a')
list_append([1],2.5)
array_cat([1],[2])
map_values(NULL)
map_keys(NULL::map(int,int))
{'a':1}.*
len(map {1:2})
list_sort(['b','A','a'])
list_sort([[2],[1,2],[1]])
list_sort([1,2,3], 'desc', 'nulls last')
list_sort(NULL)
'a' in ['a']
list_extract([1,2],1)
list_element([1,2],1)
array_contains([1],1)
list_has([1],1)
array_indexof([1],1)
contains([1],1)
[1,2]+[3,4]
-[1]
struct_extract({'a':1},'a')
struct_extract_at({'a':1},1)
list_count([])
list_avg([1,NULL])
list_sum([1.5,2])
list_var_pop([1,2])
list_bit_or([1,2])
array_to_string(['a',NULL],NULL)
array_to_string(NULL,'-')
string_split(NULL,',')
string_split('a,b',NULL)
split('a,b',',')
str_split('a,b',',')
string_to_array('a,b',',')
regexp_extract_all('abc','z')
unpivot_list(1)
list_resize(NULL,2)
list_resize([1],NULL)
list_resize([1],-1)
range(NULL)
range(1,NULL)
generate_series(5,1)
array_extract('hello',2)
struct_update({'a':1,'c':3},a:='z',b:=2)
round(list_cosine_similarity([1.0,2.0],[2.0,3.0]), 9)
round(list_cosine_distance([1.0,2.0],[2.0,3.0]), 9)
list_distance([1.0,2.0],[4.0,6.0])
list_inner_product([1.0,2.0],[2.0,3.0])
list_negative_inner_product([1.0],[2.0])
[5,4,3,2,1][1:5:-1]
[5,4,3,2,1][4:2:-1]
[5,4,3,2,1][2:4:-1]
[1,2,3][-1:1]
[1,2,3][3:-1]
[1,2,3][-2:-1]
[1,2,3][-2:-3]
[1,2,3][0:0]
[1,2,3][:0]
'abc'[0:1]
'abc'[-5:2]
'日本語'[2]
'日本語'[-2:]
list_filter([NULL,1], lambda x: x is null)
list_reduce([1,2,3], lambda a,b: a+b*1.5)
list_reduce(NULL::int[], lambda a,b: a+b)
list_reduce([5], lambda a,b: a+b)
list_reduce([1,NULL,2], lambda a,b: a+b)
list_reduce(['a','b'], lambda a,b: a||b, 'z')
list_reduce([]::int[], lambda a,b: a+b, 7)
list_reduce([1,2], lambda a,b,i: a+b*i, 7)
list_reduce([1,2,3], lambda a,b,i: a+b*i)
list_transform([{'a':1},{'a':2}], lambda x: x.a)
list_sort([{'a':2},{'a':1},NULL])
list_has_any([1,NULL],[NULL])
list_has_all([1,NULL],[NULL])
list_has_all([1],[]::int[])
list_has_any([1],[]::int[])
list_position(NULL::int[],1)
list_position([]::int[],NULL)
list_position([NULL], NULL)
map([1,2],[3,4])[1]
map {'a':NULL}['a']
map_extract(map {1:2}, NULL)
{'a':1} < {'a':2}
list_zip([1],[2],[3])
list_zip(NULL::int[],[1])
list_select([1,2],[0,-1,1])
list_where([1,2,3],[true])
flatten([[[1]],[[2],[3]]])
list_resize(['a'],3,'z')
array_to_string([1.5,2.5],', ')
array_to_string([]::int[],',')
string_split('',',')
string_split(',',',')
string_split_regex('abc','')
regexp_split_to_array('aXbX','X')
string_split_regex('éa','')
regexp_extract_all('aXb','')
regexp_extract_all('aab','a*')
regexp_extract_all('xAyB','([a-z])([A-Z])',1)
list_max([1.5,NULL])
list_string_agg([1,2])
list_bool_or([NULL,false])
list_mode(['a','b','a'])
list_aggr([1,2],'count')
array_aggregate([1],'max')
list_aggregate([1,2,3],'quantile',0.5)
struct_extract({'a':{'b':2}},'a').b
({'a':1}).a
{'a':{'b':[1,2]}}.a.b[2]
{'a':1, 'b':2}.c
cardinality(NULL::map(int,int))
map_contains(map{1:2},NULL)
map_concat(map{1:2},NULL::map(int,int))
map_concat(NULL::map(int,int),NULL::map(int,int))
3 = any([1,NULL])
1 = any([1,NULL])
3 <> all([1,2])
3 > all([1,NULL])
1=any([]::int[])
1 = all([]::int[])
1 = any(NULL::int[])
1 in [1,NULL]
3 in [1,NULL]
3 not in [1,2]
NULL in [1]
[1,2] in ([1,2],[3])
array(select x from (values (3),(1),(2)) t(x) order by x)
array(select 1 where false)
[x || 'é' for x in ['a', NULL]]
[[y for y in x if y > 1] for x in [[1,2],[3]]]
list_transform([1,2,3], lambda x: CASE WHEN x > 1 THEN 10 / (x - 1) END)
list_transform(list_filter(range(10), lambda x: x % 2 = 0), lambda x: x * x)
list_transform(['a','b'], lambda s, i: s || i::varchar)
list_transform([[1,2],[3]], lambda l, i: list_transform(l, lambda x, j: x * 100 + i * 10 + j))
list_transform([date '2024-01-31'], lambda d: d + interval 1 month)
range(timestamp '2024-01-31', timestamp '2024-06-01', interval '1 month')
generate_series(date '2024-03-05', date '2024-03-01', interval '-2 days')
list_slice('hello', 2, 3)
'[[1, 2], NULL, []]'::INT[][]
'{"x": [{"y": "a b"}, null]}'::STRUCT(x STRUCT(y VARCHAR)[])
TRY_CAST('{bad' AS STRUCT(a INT))
TRY_CAST('[[1],[x]]' AS INT[][])
CAST({'a': '12', 'b': [1.5]} AS STRUCT(a BIGINT, b DECIMAL(5,2)[]))
CAST(MAP {1: 2} AS MAP(VARCHAR, DOUBLE))
list_contains(['a', NULL], 'b')
list_contains([1.5, 2], 2)
list_position(['x','y'], 'y')
[NULL, NULL]::INT[] = [NULL, NULL]::INT[]
list_sort([0.0, 'nan'::double, -1.5, NULL, 'inf'::double])
list_sort(list_distinct(['a', 'A', 'a']))
list_sort(list_intersect(['a','b','b'], ['b','c','a']))
[1,2,3] @> [1,3]
[1,2] <@ [1,2,3]
[1,2] && [3]
array_pop_back([]::int[])
array_pop_front([1])
list_reverse([]::int[])
struct_pack(x := [1], y := {'z': NULL})
len([[], NULL])
coalesce(NULL::int[], [1])
CASE WHEN true THEN [1,2] ELSE [3.5] END
greatest([1,2],[1,3])
nullif([1],[1])
[1,2] IS NULL
[1] BETWEEN [0] AND [1,5]
[{'a':1},{'b':2}]
[{'a':1,'b':2},{'b':2,'a':1.5}]
[row(1,2),{'a':1,'b':2}]
{'a':1}={'b':1}
{'a':1,'b':2}={'b':2,'a':1}
"""

COLUMNS = r"""
l
s
ls
mp
ll
t
x
d
e
l[1]
l[-1]
l[k]
l[2:3]
l[:-2]
l[k:]
l[:-:2]
t[1][1:2]
s.a
s.b
s['c'][1]
s.c[1:1]
ls[1].q
mp['a']
mp[w]
map_extract(mp, 'b')
map_keys(mp)
map_values(mp)
map_entries(mp)
cardinality(mp)
map_contains(mp, 'a')
map_concat(mp, MAP {'a': 7, 'z': 8})
map_from_entries(map_entries(mp))
cardinality(map(list_filter(list_distinct(l), lambda v: v IS NOT NULL), list_filter(list_distinct(l), lambda v: v IS NOT NULL)))
len(l)
len(ll)
len(t[1])
list_contains(l, k)
list_contains(t, w)
list_contains(t, 'a')
list_contains(ll, [1])
list_contains(ls, {'p': 1, 'q': 'a'})
list_position(l, k)
list_position(t, NULL)
list_concat(l, m)
l || m
l || [k]
list_append(l, k)
list_prepend(k, l)
list_reverse(l)
list_sort(l)
list_sort(t, 'DESC')
list_sort(x, 'ASC', 'NULLS FIRST')
list_reverse_sort(d)
list_sort(ll)
list_sort(ls)
list_grade_up(l)
list_sort(list_distinct(l))
list_sort(list_distinct(t))
list_unique(t)
list_unique(ll)
list_has_any(l, m)
list_has_all(l, m)
list_sort(list_intersect(l, m))
flatten(ll)
list_resize(l, 3)
list_resize(t, 2, w)
list_select(l, [1, 3])
list_where(l, [true, false, true])
array_to_string(t, '|')
array_to_string(l, ', ')
string_split(w, 'o')
string_split(w, '')
string_split_regex(w, '[ ,]+')
regexp_extract_all(w, '[a-z]+')
list_min(l)
list_max(t)
list_sum(d)
list_avg(l)
list_count(l)
list_first(t)
list_last(l)
list_any_value(l)
list_median(l)
list_bool_and(b)
list_bool_or(b)
list_string_agg(t)
list_histogram(t)
list_max(ll)
list_min(ls)
list_transform(l, lambda v: v / 2.0)
list_transform(l, lambda v: v % 7 + k % 7)
list_transform(t, lambda v: upper(v) || coalesce(w, '-'))
list_transform(t, lambda v, i: i)
list_transform(ll, lambda v: len(v))
list_transform(ll, lambda v: list_transform(v, lambda u: u % 10 + id))
list_transform(ls, lambda v: v.p)
list_transform(l, lambda v: {'v': v, 'id': id})
list_transform(l, lambda v: CASE WHEN v > 0 THEN 100 / v END)
list_filter(l, lambda v: v > 1)
list_filter(l, lambda v: v IS NULL)
list_filter(l, lambda v, i: i % 2 = 0)
list_filter(t, lambda v: v LIKE '%a%')
list_filter(l, lambda v: v > k)
list_filter(ls, lambda v: list_contains(t, v.q))
list_reduce(l, lambda a, v: greatest(a, v), 0)
list_reduce(t, lambda a, v: a || '/' || v, '')
list_reduce(l, lambda a, v, i: a % 1000 + v % 1000 * i::int, 1)
list_reduce(ll, lambda a, v: list_concat(a, v), []::int[])
[v + 1 for v in list_filter(l, lambda u: abs(u::bigint) < 1000) if v > 0]
[v for v, i in l if i > 1]
list_zip(l, t)
{'l': l, 'k': k}
[k, id]
[l, m]
MAP {id: k}
[w, 'x', NULL]
struct_pack(a := k, b := s)
struct_insert(s, z := id)
struct_extract(s, 'b')
l = m
l < m
l IS DISTINCT FROM m
l <> list_reverse(l)
s = {'a': k, 'b': w, 'c': l}
s < {'a': 1, 'b': 'b', 'c': [1]}
mp = MAP {'a': 1}
ll = [l]
l::VARCHAR::INT[] = l
ll::VARCHAR::INT[][] = ll
t::VARCHAR::VARCHAR[] = t
l::BIGINT[]
TRY_CAST(t AS INT[])
s::STRUCT(c VARCHAR[], a BIGINT)
mp::MAP(VARCHAR, DOUBLE)
mp::VARCHAR::MAP(VARCHAR, INT) = mp
coalesce(l, m, [])
CASE WHEN k > 1 THEN l ELSE m END
range(k % 5)
generate_series(1, k % 4, 2)
range(k % 3, 3)
k = ANY(l)
k <> ALL(l)
k > ANY(m)
k IN l
list_transform(range(id % 4), lambda i: i * id)
to_json(l)
to_json(s)
to_json(mp)
to_json(ls)
json_object('l', l, 's', s, 'w', w)
json_array(k, w, l)
"""

QUERIES = r"""
SELECT id, unnest(l) AS v FROM {n} ORDER BY id, v
SELECT id, unnest(l) AS v, unnest(t) AS w FROM {n}
SELECT unnest(ll) AS v FROM {n}
SELECT id, unnest(ll, recursive := true) AS v FROM {n}
SELECT id, unnest(s) FROM {n}
SELECT id, unnest(ls, recursive := true) FROM {n}
SELECT id, v FROM {n}, unnest(l) AS u(v)
SELECT id, v FROM {n} n, LATERAL unnest(n.l) AS u(v) WHERE v > 1
SELECT id, v FROM {n} n LEFT JOIN unnest(n.l) AS u(v) ON true
SELECT id, v, i FROM {n} n, unnest(n.l) WITH ORDINALITY AS u(v, i)
SELECT id, (SELECT sum(v) FROM unnest(l) AS u(v)) FROM {n}
SELECT id, (SELECT count(*) FROM unnest(l) AS u(v) WHERE v > k) FROM {n}
SELECT id, (SELECT max(v) FROM (SELECT unnest(m) AS v)) FROM {n}
SELECT id, EXISTS (SELECT 1 FROM unnest(l) AS u(v) WHERE v = k) FROM {n}
SELECT id, v FROM {n} n, (SELECT unnest(n.l) + 1::BIGINT AS v) u
SELECT id, x FROM {n}, unnest(ls) AS u(x)
SELECT id, x.p, x.q FROM {n}, unnest(ls) AS u(x)
SELECT id, y FROM {n}, unnest(ll) AS u(z), unnest(z) AS v(y)
SELECT v, count(*) FROM (SELECT unnest(l) AS v FROM {n}) GROUP BY v
SELECT DISTINCT unnest(t) AS v FROM {n}
SELECT generate_subscripts(l, 1) AS i, unnest(l) AS v, id FROM {n}
SELECT id, i FROM {n}, range(k % 4) AS r(i)
SELECT s.* FROM {n}
SELECT l, count(*) FROM {n} GROUP BY l
SELECT s, count(*) FROM {n} GROUP BY s
SELECT mp, count(*) FROM {n} GROUP BY mp
SELECT DISTINCT t FROM {n}
SELECT DISTINCT ll FROM {n}
SELECT l, id FROM {n} ORDER BY l, id
SELECT l, id FROM {n} ORDER BY l DESC, id
SELECT s, id FROM {n} ORDER BY s NULLS FIRST, id
SELECT t, id FROM {n} ORDER BY t, id LIMIT 20
SELECT a.id, b.id FROM {n} a JOIN {n} b ON a.l = b.l
SELECT a.id, b.id FROM {n} a JOIN {n} b ON a.m = b.l AND a.k = b.k
SELECT a.id, b.id FROM {n} a LEFT JOIN {n} b ON a.s = b.s AND a.id <> b.id
SELECT id FROM {n} WHERE l IN (SELECT m FROM {n})
SELECT l FROM {n} INTERSECT SELECT m FROM {n}
SELECT l FROM {n} EXCEPT SELECT m FROM {n}
SELECT min(l), max(l), min(s), max(s), min(ll), max(t) FROM {n}
SELECT k, min(l), max(l), max(s) FROM {n} GROUP BY k
SELECT k, list(id ORDER BY id) FROM {n} GROUP BY k
SELECT k, list(w ORDER BY w DESC, id) FROM {n} GROUP BY k
SELECT k, array_agg(id ORDER BY id) FILTER (WHERE id % 2 = 0) FROM {n} GROUP BY k
SELECT k, list_sort(list(DISTINCT w)) FROM {n} GROUP BY k
SELECT k, list(l ORDER BY id) FROM {n} GROUP BY k
SELECT k, list({{'id': id, 'w': w}} ORDER BY id) FROM {n} GROUP BY k
SELECT k, histogram(w)::VARCHAR FROM {n} GROUP BY k
SELECT histogram(k)::VARCHAR, histogram(id % 3)::VARCHAR FROM {n}
SELECT list(id) FROM {n} WHERE false
SELECT len(list(id)), list_sum(list(id)) FROM {n}
SELECT arg_max(l, id), arg_min(s, id) FROM {n}
SELECT k, unnest(list(id ORDER BY id)) AS v FROM {n} GROUP BY k
SELECT id, list(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS r FROM {n} ORDER BY id
SELECT id, lag(l) OVER (ORDER BY id) AS r FROM {n} ORDER BY id
SELECT k, any_value(l) IS NOT NULL FROM {n} GROUP BY k
SELECT list_transform(list(id ORDER BY id), lambda v: v + k % 5) AS r, k FROM {n} GROUP BY k
SELECT id, list_transform(l, lambda v: v > k) AS r FROM {n} ORDER BY id
SELECT id FROM {n} WHERE len(l) > 2 AND l[1] > 0 ORDER BY id
SELECT id FROM {n} WHERE list_contains(t, 'a') AND s.a > 0 ORDER BY id
SELECT id, ARRAY(SELECT v FROM unnest(l) AS u(v) WHERE v > 0 ORDER BY v) AS r FROM {n} ORDER BY id
SELECT id, j->'a' AS r FROM {j} ORDER BY id
SELECT id, j->>'a' AS r FROM {j} ORDER BY id
SELECT id, j->'$.a.b' AS r, j->'$[0]' AS q FROM {j} ORDER BY id
SELECT id, json_extract(j, '$.*') AS r FROM {j} ORDER BY id
SELECT id, json_extract_string(j, '$[*]') AS r FROM {j} ORDER BY id
SELECT id, json_extract(j, '/a') AS r, json_extract(j, '$."c d"') AS q FROM {j} ORDER BY id
SELECT id, json_type(j) AS r, json_type(j, 'a') AS q FROM {j} ORDER BY id
SELECT id, json_array_length(j) AS r FROM {j} ORDER BY id
SELECT id, json_keys(j) AS r FROM {j} ORDER BY id
SELECT id, json_structure(j) AS r FROM {j} ORDER BY id
SELECT id, json_exists(j, '$.a') AS r, json_valid(j) AS v FROM {j} ORDER BY id
SELECT id, json(j) AS r FROM {j} ORDER BY id
SELECT id, json_value(j, '$.a') AS r FROM {j} ORDER BY id
SELECT json_group_array(id) AS r FROM (SELECT id FROM {j} ORDER BY id LIMIT 5)
# Aggregates and windows inside lambdas, and lambdas of what is grouped by.
SELECT list_transform([1, 2], lambda x: x + count(*)) AS r FROM {n}
SELECT k, list_filter([1, 2, 50], lambda x: x < count(*)) AS r FROM {n} GROUP BY k ORDER BY k
SELECT id % 3 AS g, list_transform([1, 2], lambda x: x + id % 3) AS r FROM {n} GROUP BY id % 3 ORDER BY g
SELECT list_transform([1, 2], lambda x: list_transform([x], lambda y: x + y + id % 3 + max(id))) AS r FROM {n} GROUP BY id % 3 ORDER BY r
SELECT list_transform([7], lambda x: x + id % 3) AS g, count(*) AS r FROM {n} GROUP BY list_transform([7], lambda x: x + id % 3) ORDER BY g
SELECT id, list_transform([1, 2], lambda x: x + row_number() OVER (ORDER BY id)) AS r FROM {n} ORDER BY id
SELECT id, list_transform(l, lambda x: 10 // len(l)) AS r FROM {n} ORDER BY id
SELECT id, list_transform(l, lambda x: x // 2 + id * 2 + id * 2) AS r FROM {n} WHERE id % 2 = 0 ORDER BY id
"""

JSON = r"""
'{"a": {"b": [1, 2.50, "x", null, true]}}'->'a'
'{"a": {"b": [1, 2.50, "x", null, true]}}'->'$.a.b[1]'
'{"a": {"b": [1, 2.50, "x", null, true]}}'->>'$.a.b[2]'
'[1,2]'->'$[#-1]'
'[1,2]'->'$[-1]'
json_extract('{"a":1,"b":2}', ['a','b'])
json_extract('{"a":{"x":1},"b":{"x":2}}', '$.*.x')
json_extract('{"a":{"x":1},"b":{"x":2}}', '$..x')
json_extract('[1,[2,3]]','$[*][0]')
json_extract('{"a b":{"c.d":1}}', '$."a b"."c.d"')
json_extract('{"a b":{"c.d":1}}', '/a b/c.d')
json_extract('{"a":[1,2]}', '/a/1')
json_extract('{"a~b":1}', '/a~0b')
json_extract('[1,2,3]', 1)
json_extract_string('{"a":"x\ny\u00e9"}', 'a')
json_extract_string('{"a":null}','a')
json_extract('{"a":null}','a')
json_extract('{"a":1}','b')
json_value('{"a":[1],"b":2}','$.a')
json_value('{"a":[1],"b":2}','$.b')
json_value('{"c":"x"}','$.c')
json_exists('{"a":null}','a')
json_exists('{"a":[1,2]}','$.a[*]')
json_type('99999999999999999999')
json_type('-1')
json_type('{"a":1}',['a','b'])
json_valid('{a:1}')
json_valid('')
json_valid(NULL)
json_valid('01')
json_array_length('{"a":[1]}','a')
json_keys('{"x":{"y":1}}','x')
json_structure('{"a":1,"b":[1.5,"x"],"c":{"d":null},"e":[{"f":1},{"g":true}],"h":[]}')
json_structure('[1,2.5]')
json_structure('-5')
json_object('a',1,'b',[1,2],'c',NULL,'d',{'x':date '2020-01-01'})
json_object()
json_object('a', json('{"x": 1}'))
json_object('a','{"x":1}')
json_array(1,'a',NULL,[1.5],true)
json_array(json('[1, 2]'))
to_json('x"y')
to_json(NULL)
to_json(1.5::double)
to_json(1e20::double)
to_json(1e300::double)
to_json(0.000001::double)
to_json(map{1:2})
to_json(timestamp '2020-01-01 01:02:03')
to_json('é')
to_json(1.50::decimal(5,2))
row_to_json({'a':1})
array_to_json([1,2])
from_json('{"a":1,"b":"x"}','{"a":"INTEGER","b":"VARCHAR"}')
from_json('{"a":1}','{"a":"INTEGER","b":"VARCHAR"}')
from_json('[1,2]','["BIGINT"]')
json_transform('{"a":"1"}','{"a":"INTEGER"}')
json_transform('{"a":"x"}','{"a":"INTEGER"}')
json_transform_strict('{"a":"x"}','{"a":"INTEGER"}')
from_json('{"a":{"b":[1,2]}}','{"a":{"b":["DOUBLE"]}}')
from_json('{"k":1,"l":2}','"MAP(VARCHAR, INTEGER)"')
json_merge_patch('{"a":1,"b":2}','{"b":null,"c":3}')
json_merge_patch('{"a":{"x":1}}','{"a":{"y":2}}')
json_merge_patch('1','{"a":1}')
json_contains('{"a":[1,2]}','{"a":[1]}')
json_contains('[1,[2]]','2')
json_contains('{"a":1}','{"b":1}')
'{"a": 1 }'::json
' [1 , 2 ] '::json::varchar
'{bad'::json
try_cast('{bad' as json)
('{"a":5}'->'a')::int
('{"a":"5"}'->'a')::int
('{"a":null}'->'a')::int
('{"a":[1,2]}'->'a')::int[]
('{"a":{"b":1}}'->'a')::struct(b int)
('{"a":"x"}'->'a')::varchar
json_extract_string('{"a":[1,{"b":2}]}','a')
json_extract_string('{"a":1.50}','a')
json_pretty('{"a":[1,{"b":2}],"c":{}}')
[1,2]::json
{'a':1}::json
'x'::json
json_quote('a')
'{"a":{"b":2}}'->'a.b'
'{"a.b":3}'->'a.b'
json_extract('{"duck":[1,2,3]}', 'duck[0]')
json_extract('{bad','a')
'"abc"'->>'$'
json('{"a": [1,  2]}')
to_json({'a':'x'})
json_object('k', to_json({'a':'x'}))
json_object('k', '{"z":1}'::json)
list_transform(['{"a":1}','{"a":2}'], lambda x: x->'a')
'[1, 2, 3]'::json::int[]
'{"a":1}'::json::map(varchar,int)
json_extract('{"a":1}', NULL)
"""


def test_expressions_of_constants(module_varve, oracle):
    assert_agree(module_varve, oracle, as_text(lines(CONSTANTS)))


def test_expressions_over_columns(module_varve, oracle, data):
    assert_agree(module_varve, oracle, over(data["n"], lines(COLUMNS)))


def test_queries_with_nested_values(module_varve, oracle, data):
    assert_agree(module_varve, oracle, [query.format(**data) for query in lines(QUERIES)])


def test_json_of_constants(module_varve, oracle):
    assert_agree(module_varve, oracle, as_text(lines(JSON)))


def test_what_is_allowed_or_refused_unlike_in_duckdb(module_varve):
    """JSON is text here, so a list of JSON shows its elements as text; literal lists of texts and numbers do not compare without a CAST."""
    def value(expression):
        return module_varve.value(f"SELECT {expression} AS r")

    assert value("array_to_string([1, NULL, 3], '-', 'n')") == "1-n-3"
    assert value("reverse([1, 2])") == [2, 1]
    assert value("list_distinct([3, NULL, 1, 3])") == [3, 1]
    assert value("json_extract('[1, [2, 3]]', '$[*]')") == ["1", "[2,3]"]
    assert "cannot be compared" in module_varve.error("SELECT [1] = ['1']")


@pytest.mark.parametrize("query, parts", [
    ("SELECT {'alpha': 1}.alpah", ["no field \"alpah\"", "alpha", "column 8"]),
    ("SELECT list_transfrom([1], lambda x: x)", ["list_transfrom", "list_transform"]),
    ("SELECT list_transform([1], 2)", ["lambda is needed", "column 28"]),
    ("SELECT list_transform([1], lambda a, b, c: a)", ["3 parameters"]),
    ("SELECT list_transform([1], lambda a: max(a))", ["aggregate inside a lambda"]),
    ("SELECT map([1, 1], [2, 3])", ["must be different"]),
    ("SELECT map([NULL], [2])", ["cannot be null"]),
    ("SELECT [1, 2]['a']", ["'a'"]),
    ("SELECT 5[1]", ["INTEGER has no elements"]),
    ("SELECT sum(unnest([1, 2]))", ["unnest cannot stand in an aggregate"]),
    ("SELECT 1 WHERE unnest([true])", ["unnest cannot stand in WHERE"]),
    ("SELECT * FROM unnest(5)", ["needs a list"]),
    ("SELECT list_aggregate([1], 'summ')", ["summ", "sum"]),
    ("SELECT range(100000000000)", ["too long"]),
    ("SELECT list_resize([1], 100000000000)", ["elements"]),
    ("SELECT list_reduce([]::INT[], lambda a, b: a + b)", ["empty list"]),
    ("SELECT '{\"a\": }'::JSON", ["is not JSON"]),
    ("SELECT '{}'->'$['", ["cannot be understood"]),
    ("SELECT '[1, x]'::INT[]", ["'x' is not a INTEGER"]),
    ("SELECT [1, 2][1:2:0]", ["step"]),
])
def test_refusals_say_what_and_where(module_varve, query, parts):
    message = module_varve.error(query)
    assert all(part in message for part in parts), message


def test_tables_hold_nested_values(module_varve):
    """Columns of nested types in CREATE TABLE, INSERT, UPDATE and DELETE, with ids of fields that literals do not have."""
    varve = module_varve
    varve.execute("CREATE TABLE held (id INT, l INTEGER[], s STRUCT(a INT, b VARCHAR), m MAP(VARCHAR, BIGINT), d STRUCT(x DOUBLE[], y STRUCT(z DATE))[])")
    varve.execute("INSERT INTO held VALUES (1, [1, NULL, 3], {'a': 1, 'b': 'x'}, MAP {'k': 5}, [{'x': [1.5], 'y': {'z': DATE '2024-02-29'}}]), "
                  "(2, [], {'b': 'only', 'a': NULL}, MAP {}, []), (3, NULL, NULL, NULL, NULL)")
    varve.execute("INSERT INTO held SELECT id + 10, list_transform(l, lambda v: v * 2), s, m, d FROM held")
    assert varve.rows("SELECT id, l, s, m FROM held WHERE id IN (1, 2, 3, 11) ORDER BY id") == [
        (1, [1, None, 3], {"a": 1, "b": "x"}, [("k", 5)]), (2, [], {"a": None, "b": "only"}, []), (3, None, None, None),
        (11, [2, None, 6], {"a": 1, "b": "x"}, [("k", 5)])]
    assert varve.value("SELECT d[1].y.z FROM held WHERE id = 1") == datetime.date(2024, 2, 29)
    assert varve.value("SELECT count(*) FROM held WHERE l = [1, NULL, 3]") == 1
    assert varve.value("SELECT count(*) FROM held WHERE s = {'a': 1, 'b': 'x'} AND m['k'] = 5") == 2
    varve.execute("UPDATE held SET l = list_append(l, id), s = struct_update(s, a := 7) WHERE id = 1")
    assert varve.rows("SELECT l, s FROM held WHERE id = 1") == [([1, None, 3, 1], {"a": 7, "b": "x"})]
    varve.execute("DELETE FROM held WHERE len(l) = 0")
    assert varve.rows("SELECT id FROM held ORDER BY id") == [(1,), (3,), (11,), (13,)]
    varve.execute("CREATE TABLE made AS SELECT id, unnest(l) AS v, {'n': id} AS s FROM held")
    assert varve.rows("SELECT id, v, s.n FROM made ORDER BY id, v") == [
        (1, 1, 1), (1, 1, 1), (1, 3, 1), (1, None, 1), (11, 2, 11), (11, 6, 11), (11, None, 11)]


def test_many_nested_keys(module_varve, oracle):
    """Groups and joins by lists, more than fit one batch."""
    assert_agree(module_varve, oracle, [
        "SELECT count(*), sum(c) FROM (SELECT l, count(*) AS c FROM (SELECT [i % 30000, i % 7] AS l FROM range(60000) t(i)) GROUP BY l)",
        "SELECT l, c FROM (SELECT {'a': [i % 3], 'b': MAP {'k': i % 5}} AS l, count(*) AS c FROM range(40000) t(i) GROUP BY ALL) ORDER BY c, l.a, l.b::VARCHAR",
        "SELECT count(*) FROM (SELECT [i, i + 1] AS l FROM range(20000) t(i)) a JOIN (SELECT [i * 2, i * 2 + 1] AS l FROM range(20000) t(i)) b ON a.l = b.l",
    ])


def test_a_field_of_a_struct_that_is_grouped_by(varve):
    sql = "SELECT struct_extract({'a': i % 2, 'b': 'x'}, 'a') AS a, count(*) FROM range(5) t(i) GROUP BY {'a': i % 2, 'b': 'x'} ORDER BY a"
    assert varve.rows(sql) == [(0, 3), (1, 2)]
    assert varve.rows("SELECT {'a': i, 'b': 1 // (i - i + 1)}.a FROM range(2) t(i) ORDER BY 1") == [(0,), (1,)]


def test_json_cast_to_text_is_text(varve):
    sql = "SELECT CAST(to_json(CAST(to_json({'a': 1}) AS VARCHAR)) AS VARCHAR), to_json(to_json([1])), to_json(CAST(json('\"x\"') AS VARCHAR)), CAST(to_json([1]) AS VARCHAR) || '!'"
    assert varve.rows(sql) == duckdb.sql(sql).fetchall()
