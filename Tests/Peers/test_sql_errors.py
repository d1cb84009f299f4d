"""What varve says of statements that it refuses: where it stands, what is wrong, and what may have been meant."""
import pytest

from support import Varve

# The statement with the place at fault between ⟨ and ⟩, and parts of what must be said of it.
CASES = [
    ("SELECT ⟨idd⟩ FROM t", 'column "idd" does not exist', 'Did you mean "id"?'),
    ("SELECT ⟨t.idd⟩ FROM t", 'column "t.idd" does not exist', 'Did you mean "id"?'),
    ("SELECT ⟨tt.id⟩ FROM t", 'there is no table "tt" in FROM', 'Did you mean "t"?'),
    ("SELECT ⟨nix.*⟩ FROM t", 'there is no table "nix" in FROM'),
    ("SELECT id FROM t WHERE ⟨kk⟩ = 1", 'column "kk" does not exist', 'Did you mean "k"?'),
    ("SELECT (SELECT ⟨t.kk⟩ FROM u) FROM t", 'column "t.kk" does not exist', 'Did you mean "k"?'),
    ("SELECT ⟨id⟩ FROM t JOIN u ON t.id = u.id", 'column "id" is ambiguous', "t.id, u.id"),
    ("SELECT ⟨*⟩ FROM t a JOIN u a ON true", "is ambiguous", "give them other names"),
    ("SELECT * FROM ⟨tt⟩", 'table "main.tt" does not exist', 'Did you mean "t"?'),
    ("SELECT * FROM ⟨sale⟩", 'table "main.sale" does not exist', 'Did you mean "sales"?'),
    ("WITH n AS (SELECT i + 1 FROM ⟨n⟩) SELECT * FROM n", 'table "main.n" does not exist', "WITH RECURSIVE"),
    ("WITH RECURSIVE n AS (SELECT i + 1 FROM ⟨n⟩) SELECT * FROM n", "cannot refer to itself here", "UNION"),
    ("WITH RECURSIVE n(i) AS (SELECT 1 ⟨UNION⟩ SELECT i, 2 FROM n) SELECT * FROM n", "as many columns as its first rows have: 1, not 2"),
    ("WITH RECURSIVE ⟨n⟩(i) AS (SELECT 1 UNION SELECT i FROM n LIMIT 3) SELECT * FROM n", "LIMIT cannot stand in the recursive query"),
    ("WITH a AS (SELECT 1), ⟨a⟩ AS (SELECT 2) SELECT * FROM a", 'WITH names "a" twice'),
    ("SELECT ⟨coutn⟩(*) FROM t", "function coutn does not exist", "Did you mean count?"),
    ("SELECT lower(⟨*⟩) FROM t", "lower does not take *"),
    ("SELECT ⟨lowr⟩(s) FROM t", "function lowr does not exist", "Did you mean lower?"),
    ("SELECT ⟨row_numbr⟩() FROM t", "function row_numbr does not exist", "Did you mean row_number?"),
    ("SELECT ⟨substring(s)⟩ FROM t", "substring", "number and the types of its arguments"),
    ("SELECT ⟨max(id, k, s)⟩ FROM t", "max"),
    ("SELECT id::⟨integr⟩ FROM t", 'type "integr" does not exist', "Did you mean integer?"),
    ("SELECT id::⟨smalint⟩ FROM t", 'type "smalint" does not exist', "Did you mean smallint?"),
    ("SELECT count(*) FROM t WHERE ⟨count(*)⟩ > 1", "an aggregate cannot stand in WHERE", "HAVING"),
    ("SELECT id FROM t GROUP BY ⟨sum(id)⟩", "an aggregate cannot stand in GROUP BY"),
    ("SELECT sum(⟨count(*)⟩) FROM t", "an aggregate cannot stand inside another"),
    ("SELECT sum((SELECT ⟨max(t.id)⟩ FROM range(2))) FROM t", "an aggregate cannot stand inside another"),
    ("SELECT count(*), (SELECT ⟨sum(max(t.id))⟩ FROM range(2)) FROM t", "an aggregate cannot stand inside another"),
    ("SELECT count(*) AS g FROM t GROUP BY ⟨1⟩", "an aggregate cannot stand in GROUP BY"),
    ("SELECT (SELECT max(t.id)) AS g FROM t GROUP BY ⟨g⟩", "an aggregate cannot stand in GROUP BY"),
    ("SELECT row_number() OVER () AS g FROM t GROUP BY ⟨1⟩", "a window function cannot stand in GROUP BY"),
    ("SELECT unnest([1, 2]) AS g, count(*) FROM t GROUP BY ⟨1⟩", "unnest cannot stand in GROUP BY"),
    ("SELECT ⟨id⟩, count(*) FROM t", 'column "id" must appear in GROUP BY', "any_value(id)"),
    ("SELECT ⟨id⟩ FROM t GROUP BY k", 'column "id" must appear in GROUP BY'),
    ("SELECT ⟨row_number()⟩ FROM t", "row_number needs an OVER clause"),
    ("SELECT id FROM t WHERE ⟨row_number() OVER ()⟩ = 1", "a window function cannot stand in WHERE", "QUALIFY"),
    ("SELECT sum(id) OVER ⟨ww⟩ FROM t WINDOW w AS (ORDER BY id)", 'window "ww" does not exist', 'Did you mean "w"?'),
    ("SELECT first_value(id) OVER (ORDER BY id ⟨ROWS BETWEEN CURRENT ROW AND 1 PRECEDING⟩) FROM t", "cannot begin behind its end"),
    ("SELECT id FROM t ORDER BY ⟨5⟩", "position 5 is not in the select list"),
    ("SELECT id, k FROM t ⟨UNION⟩ SELECT 1", "as many columns on both sides, here are 2 and 1"),
    ("SELECT * FROM (VALUES (1, 2), (⟨3⟩)) v", "a row of VALUES has 1 values, the first has 2"),
    ("SELECT ⟨(SELECT id, k FROM t)⟩", "must have one column, not 2"),
    ("SELECT id FROM t WHERE ⟨id IN (SELECT id, k FROM u)⟩", "must have one column, not 2"),
    ("SELECT (1, 2) = ⟨(1, 2, 3)⟩", "a row of 2 values is compared with one of 3"),
    ("SELECT id FROM t WHERE ⟨s⟩", "WHERE needs a condition, this is VARCHAR"),
    ("SELECT ⟨x + s⟩ FROM t", "no operator + for DOUBLE and VARCHAR"),
    ("SELECT id FROM t LIMIT ⟨'a'⟩", "whole numbers of 0 or more"),
    ("SELECT id FROM t LIMIT ⟨-1⟩", "whole numbers of 0 or more"),
    ("SELECT * FROM t JOIN u USING (⟨idd⟩)", 'column "idd" of USING is not on both sides'),
    ("SELECT t.* EXCLUDE (⟨idd⟩) FROM t", 'column "idd" does not exist', 'Did you mean "id"?'),
    ("SELECT * REPLACE (1 AS ⟨idd⟩) FROM t", 'column "idd" does not exist', 'Did you mean "id"?'),
    ("SELECT COLUMNS(⟨'nix'⟩) FROM t", "no column matches 'nix'", "There are: id, k, s"),
    ("SELECT * LIKE ⟨'nix'⟩ FROM t", "no column is like 'nix'", "There are: id, k, s"),
    ("SELECT COLUMNS('i') + ⟨COLUMNS('k')⟩ FROM t", "one expression cannot have different COLUMNS"),
    ("SELECT ⟨*⟩", "* needs a FROM clause"),
    ("SELECT * FROM t TABLESAMPLE ⟨bernouli⟩(10%)", 'there is no sampling method "bernouli"', "Did you mean bernoulli?"),
    ("SELECT * FROM t USING SAMPLE ⟨110⟩%", "0 to 100 percent"),
    ("SELECT * FROM t ⟨TABLESAMPLE bernoulli(3 ROWS)⟩", "takes a share of the rows", "reservoir"),
    ("PIVOT sales ON yr USING ⟨amount⟩", "needs one aggregate", "sum(amount)"),
    ("UNPIVOT wide ON jan, ⟨name⟩", "UNPIVOT cannot put INTEGER and VARCHAR into one column", "CAST"),
    ("UNPIVOT wide ON (jan, feb), ⟨mar⟩ INTO NAME n VALUE a, b", "UNPIVOT gives 2 values, but here are 1 columns"),
    ("SET ⟨thread⟩ = 1", 'there is no setting "thread"', "Did you mean threads?"),
    ("SHOW ⟨memory_limt⟩", 'there is no setting "memory_limt"', "Did you mean memory_limit?"),
    ("RESET ⟨nix⟩", 'there is no setting "nix"', "SHOW ALL"),
    ("SELECT current_setting(⟨'time_zon'⟩)", 'there is no setting "time_zon"', "Did you mean timezone?"),
    ("SET threads = ⟨'many'⟩", "threads is a number from 1 to 256"),
    ("SET memory_limit = ⟨'x'⟩", "memory_limit is an amount"),
    ("SET default_null_order = ⟨'up'⟩", 'there is no null order "up"'),
    ("SET TimeZone = ⟨'Mars/Olympus'⟩", 'time zone "Mars/Olympus" is unknown'),
    ("USE ⟨nix⟩", 'namespace "nix" does not exist'),
    ("EXECUTE ⟨nix⟩", 'there is no prepared statement "nix"'),
    ("DROP MACRO ⟨nix⟩", 'there is no macro "nix"'),
    ("⟨SELEC⟩ id FROM t", "expected a statement", "did you mean SELECT?"),
    ("SELECT id FORM ⟨t⟩", "expected the end of the statement", "did you mean FROM instead of FORM?"),
    ("SELECT id FROM t WHER ⟨id⟩ = 1", "expected the end of the statement", "did you mean WHERE instead of WHER?"),
    ("SELECT id FROM t GROUP ⟨id⟩", 'unexpected "id", expected BY'),
    ("SELECT ⟨'abc FROM t⟩", "never ends"),
    ("SELECT (id ⟨FROM⟩ t", 'expected ")"'),
    ("SELECT CASE WHEN id THEN 1 ⟨FROM⟩ t", "expected WHEN, ELSE or END"),
    ("SELECT id\nFROM t\nWHERE ⟨idd⟩ = 1", 'column "idd" does not exist', "line 3, column 7"),
    ("SELECT 'ä€😀', ⟨idd⟩ FROM t", 'column "idd" does not exist', "line 1, column 15"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    varve = Varve(tmp_path_factory.mktemp("errors") / "lake")
    varve.execute("CREATE TABLE t (id int, k int, s varchar, x double); CREATE TABLE u (id int, k int); "
                  "CREATE TABLE sales (yr int, amount int); CREATE TABLE wide (name varchar, jan int, feb int, mar int)")
    return varve


@pytest.mark.parametrize("marked,message,further", [(*case, None)[:3] for case in CASES])
def test_an_error_points_at_its_place(marked, message, further, lake):
    start = marked.index("⟨")
    before = marked[:start]
    fault = marked[start + 1:marked.index("⟩")].split("\n")[0]
    text = marked.replace("⟨", "").replace("⟩", "")
    said = lake.error(text)
    assert message in said
    if further:
        assert further in said
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    assert f"line {line}, column {column}: " in said
    lines = said.splitlines()
    carets = next(index for index, part in enumerate(lines) if part.strip() and set(part.strip()) == {"^"})
    assert lines[carets - 1][2:] == text.split("\n")[line - 1]
    assert lines[carets][2:] == " " * (column - 1) + "^" * len(fault)


def test_an_error_of_a_macro_points_at_its_call(lake):
    said = lake.error("CREATE MACRO m(a) AS nix(a);\nSELECT m(id) FROM t")
    assert "function nix does not exist" in said and "line 2, column 8: " in said


def test_an_error_of_a_prepared_statement_has_no_place(lake):
    said = lake.error("PREPARE p AS SELECT nix FROM t WHERE id = $1;\nEXECUTE p(1)")
    assert 'column "nix" does not exist' in said and "line" not in said


def test_a_macro_says_how_it_is_called(lake):
    assert "It is add(a, b := 5)." in lake.error("CREATE MACRO add(a, b := 5) AS a + b; SELECT add(1, 2, 3)")


def test_parameters_that_are_missing_or_too_many_are_named(lake):
    assert 'no value is given for parameter $2 of "p"' in lake.error("PREPARE p AS SELECT $1 + $2; EXECUTE p(1)")
    assert '"p" has no parameter $2' in lake.error("PREPARE p AS SELECT $1; EXECUTE p(1, 2)")
