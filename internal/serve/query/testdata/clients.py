"""Drives a server with psycopg 3, and with SQLAlchemy where it is installed; any surprise is an AssertionError."""
import datetime
import decimal
import sys
import uuid

import psycopg

port = int(sys.argv[1])
c = psycopg.connect(f"host=127.0.0.1 port={port} user=myelin dbname=myelin", autocommit=True)


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


# Text and binary, parameters of many types, prepared statements.
same(c.execute("select segment, ltv from crm where user_id = %s limit 3", ("u07",)).fetchall(), [("vip", 1.75)])
row = c.cursor(binary=True).execute("select * from revenue_per_minute where campaign = 'c1' order by 1 limit 1").fetchone()
same(row, (datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc), "c1", 1, decimal.Decimal("1.50")))
when = datetime.datetime(2023, 11, 14, tzinfo=datetime.timezone.utc)
same(c.execute("select count(*) from revenue_per_minute where orders > %s and window_start > %s and revenue >= %s", (5, when, decimal.Decimal("1.5"))).fetchone()[0], 142)
same(c.execute("select count(*) from crm where user_id = any(%s)", (["u01", "u02", "nobody"],)).fetchone(), (2,))
same(c.execute("select %s::int + 1, %s::text is null", (41, None)).fetchone(), (42, True))
values = (1, "x", 1.5, decimal.Decimal("1.20"), datetime.date(2026, 1, 2), uuid.UUID(int=5))
same(c.execute("select %s, %s, %s, %s, %s, %s", values).fetchone(), values)
for n in range(3):
    same(c.execute("select count(*) from crm where ltv < %s", (n,), prepare=True).fetchone(), (4 * n,))

# Server-side cursors and COPY, both in both formats.
with c.transaction():
    with c.cursor(name="cc") as cur:
        cur.itersize = 100
        same(sum(1 for _ in cur.execute("select * from revenue_per_minute")), 1000)
    with c.cursor(name="cb", binary=True) as cur:
        same(len(cur.execute("select user_id, ltv from crm").fetchmany(7)), 7)
with c.cursor() as cur, cur.copy("copy (select user_id, segment from crm order by 1) to stdout") as copy:
    same(list(copy.rows())[:2], [("u00", None), ("u01", "vip")])
with c.cursor() as cur, cur.copy("copy (select ltv from crm order by 1) to stdout (format binary)") as copy:
    copy.set_types(["float8"])
    same(list(copy.rows())[:2], [(0.0,), (0.25,)])

# Pipelines and errors: the connection goes on.
with c.pipeline():
    a, b = c.execute("select 1"), c.execute("select 2")
    same((a.fetchone(), b.fetchone()), ((1,), (2,)))
try:
    with c.pipeline():
        c.execute("select 1")
        c.execute("select nosuch from crm")
        c.execute("select 2")
    raise AssertionError("no error")
except psycopg.errors.UndefinedColumn as e:
    same(e.diag.statement_position, "8")
same(c.execute("select 3").fetchone(), (3,))

# Nested transactions.
c.autocommit = False
with c.transaction():
    try:
        with c.transaction():
            c.execute("select nosuch from crm")
    except psycopg.Error as e:
        same(e.sqlstate, "42703")
    same(c.execute("select 1").fetchone(), (1,))
c.rollback()
c.autocommit = True

same(psycopg.types.TypeInfo.fetch(c, "timestamptz").array_oid, 1185)
c.execute("set timezone = 'Europe/Berlin'")
same(c.execute("select min(window_start) from revenue_per_minute").fetchone()[0].utcoffset(), datetime.timedelta(hours=1))
c.close()

try:
    import sqlalchemy as sa
except ImportError:
    sys.exit()
engine = sa.create_engine(f"postgresql+psycopg://myelin@127.0.0.1:{port}/myelin")
inspector = sa.inspect(engine)
same(inspector.get_table_names(), ["crm"])
same(inspector.get_materialized_view_names(), ["revenue_per_minute"])
same(inspector.get_pk_constraint("crm")["constrained_columns"], ["user_id"])
same([str(col["type"]) for col in inspector.get_columns("crm")], ["TEXT", "TEXT", "DOUBLE PRECISION"])
meta = sa.MetaData()
meta.reflect(engine, views=True)
with engine.connect() as conn:
    crm = meta.tables["crm"]
    same(conn.execute(sa.select(sa.func.count()).select_from(crm).where(crm.c.segment.is_(None))).scalar(), 17)
