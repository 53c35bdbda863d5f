"""Drives a server with psycopg 3 (parameters bound on either side, as text and binary) and SQLAlchemy (what is there, select with parameters)."""

import datetime as dt
import decimal
import sys
import threading
import time
import uuid

import psycopg
import sqlalchemy as sa
from psycopg.types.json import Jsonb

host, port = sys.argv[1].rsplit(":", 1)
dsn = f"host={host} port={port} user=myelin dbname=myelin"
LONG = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"

SQL = (
    "SELECT %s::boolean, %s::int, %s::bigint, %s::double precision, %s::numeric, %s::text, %s::bytea, %s::date, %s::time,"
    " %s::timestamp, %s::timestamptz, %s::uuid, %s::jsonb, %s::bigint[], %s::text[], %s::interval"
)
VALUES = [
    True, -7, 2**63 - 1, 1.5, decimal.Decimal("-12345678901234567890.120"), "größe'\"\\%", bytes([0, 1, 255]), dt.date(1969, 7, 20),
    dt.time(1, 2, 3), dt.datetime(1999, 12, 31, 23, 59, 59, 7), dt.datetime(2026, 5, 1, 12, 30, 0, 123456, dt.UTC), uuid.UUID(int=(1 << 64) + 2),
    Jsonb({"a": [1, None]}), [1, None, 3], ["a,b", None, '"q"'], dt.timedelta(days=2, hours=3, seconds=4),
]
WANT = [v.obj if isinstance(v, Jsonb) else v for v in VALUES]


def types(c: psycopg.Connection, cursor: type, binary: bool, prepare: bool | None) -> None:
    with cursor(c) as cur:
        for values, want in ((VALUES, WANT), ([None] * 16, [None] * 16)):
            for _ in range(2):
                extra = {} if prepare is None else {"prepare": prepare}
                got = cur.execute(SQL, values, binary=binary, **extra).fetchone()
                assert list(got) == want, (cursor, binary, prepare, got)


def fails(c: psycopg.Connection, sql: str, state: str, *args: object) -> psycopg.Error:
    try:
        c.execute(sql, *args)
    except psycopg.Error as e:
        assert e.sqlstate == state, (sql, e.sqlstate, e)
        return e
    raise AssertionError(f"{sql}: no error")


with psycopg.connect(dsn, autocommit=True) as c:
    for binary in (False, True):
        for prepare in (False, True):
            types(c, psycopg.Cursor, binary, prepare)
        types(c, psycopg.ClientCursor, False, None)
    with psycopg.RawCursor(c) as cur:
        assert cur.execute("SELECT $1::int + $2", [1, 2]).fetchone() == (3,)
    # What a statement is known by survives other statements, errors and pipelines.
    with c.pipeline():
        cursors = [c.execute("SELECT %s::int * 2", [i], prepare=True) for i in range(50)]
    assert [cur.fetchone()[0] for cur in cursors] == [2 * i for i in range(50)]
    cur = c.cursor()
    cur.executemany("SELECT %s::text", [["a"], ["b"]], returning=True)
    got = [cur.fetchone()]
    while cur.nextset():
        got.append(cur.fetchone())
    assert got == [("a",), ("b",)], got
    e = fails(c, "SELECT nosuch FROM shop", "42703")
    assert e.diag.statement_position == "8", e.diag.statement_position
    fails(c, "SELECT 1 / %s::int", "22012", [0])
    fails(c, "SELECT %s::int", "22P02", ["x"])
    with c.cursor().copy("COPY (SELECT g, 'r' || g FROM generate_series(1, 3) g) TO STDOUT") as copy:
        assert list(copy.rows()) == [("1", "r1"), ("2", "r2"), ("3", "r3")]
    with c.transaction(), c.cursor("many") as cur:  # a cursor of the server
        cur.itersize = 100
        cur.execute("SELECT g FROM generate_series(1, 1234) g")
        assert sum(row[0] for row in cur) == 1234 * 1235 // 2
    c.execute("SET statement_timeout = '200ms'")
    fails(c, LONG, "57014")
    c.execute("RESET statement_timeout")
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.2):  # the first may come before the statement
            c.cancel_safe()

    asking = threading.Thread(target=cancel)
    asking.start()
    began = time.monotonic()
    fails(c, LONG, "57014")
    over.set()
    asking.join()
    assert time.monotonic() - began < 20
    assert c.execute("SELECT 1").fetchone() == (1,)

engine = sa.create_engine(f"postgresql+psycopg://myelin@{host}:{port}/myelin")
with engine.connect() as c:
    look = sa.inspect(engine)
    assert "shop" in look.get_table_names() + look.get_view_names() + look.get_materialized_view_names(), look.get_table_names()
    columns = {col["name"]: str(col["type"]) for col in look.get_columns("shop")}
    assert columns == {"id": "BIGINT", "name": "TEXT", "price": "NUMERIC", "since": "DATE"}, columns
    assert look.get_pk_constraint("shop")["constrained_columns"] == ["id"], look.get_pk_constraint("shop")
    assert look.has_table("shop") and not look.has_table("nosuch")
    for empty in (look.get_foreign_keys("shop"), look.get_unique_constraints("shop"), look.get_check_constraints("shop")):
        assert empty == [], empty
    shop = sa.Table("shop", sa.MetaData(), autoload_with=engine)
    some = sa.select(shop.c.name, shop.c.price * 2).where(shop.c.price > decimal.Decimal("1.00"), shop.c.id.in_([1, 2, 3])).order_by(shop.c.id)
    assert c.execute(some).all() == [("tea", decimal.Decimal("7.00")), ("jam", decimal.Decimal("9.98"))], c.execute(some).all()
    total = sa.select(sa.func.count(), sa.func.max(shop.c.since)).select_from(shop).where(shop.c.name.ilike("%a%"))
    assert c.execute(total).one() == (2, dt.date(2026, 2, 1)), c.execute(total).one()
    ranked = sa.select(shop.c.name, sa.func.row_number().over(order_by=shop.c.price.desc())).limit(1)
    assert c.execute(ranked).one() == ("jam", 1)
engine.dispose()
print("psycopg and SQLAlchemy ok: every type")
