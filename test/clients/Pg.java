import java.sql.*;
import java.math.BigDecimal;
import java.time.*;
import java.util.*;

/** Drives a server with pgjdbc: binary transfer from the first execution on, fetch size, batches, metadata, every type, errors, cancel. */
public class Pg {
  static void same(Object got, Object want) {
    if (!Objects.deepEquals(got, want)) throw new AssertionError("got " + got + ", want " + want);
  }

  public static void main(String[] args) throws Exception {
    String url = "jdbc:postgresql://" + args[0] + "/myelin?user=myelin&prepareThreshold=1&binaryTransferEnable=NUMERIC,TIMESTAMP,TIMESTAMPTZ,DATE,TIME";
    try (Connection c = DriverManager.getConnection(url)) {
      String sql = "SELECT ?::boolean, ?::int, ?::bigint, ?::double precision, ?::numeric, ?::text, ?::bytea, ?::date, ?::time, ?::timestamp, ?::timestamptz, ?::uuid, ?::jsonb, ?::bigint[], ?::text[], ?::interval";
      OffsetDateTime when = OffsetDateTime.of(2026, 5, 1, 12, 30, 0, 123456000, ZoneOffset.UTC);
      UUID id = new UUID(1, 2);
      try (PreparedStatement p = c.prepareStatement(sql)) {
        for (int round = 0; round < 5; round++) {
          p.setBoolean(1, true); p.setInt(2, -7); p.setLong(3, Long.MAX_VALUE); p.setDouble(4, 1.5);
          p.setBigDecimal(5, new BigDecimal("-12345678901234567890.120")); p.setString(6, "größe'\"\\");
          p.setBytes(7, new byte[] {0, 1, (byte) 255}); p.setObject(8, LocalDate.of(1969, 7, 20)); p.setObject(9, LocalTime.of(1, 2, 3));
          p.setObject(10, LocalDateTime.of(1999, 12, 31, 23, 59, 59)); p.setObject(11, when); p.setObject(12, id);
          p.setObject(13, "{\"a\": [1, null]}", Types.OTHER); p.setArray(14, c.createArrayOf("bigint", new Long[] {1L, null, 3L}));
          p.setArray(15, c.createArrayOf("text", new String[] {"a,b", null, "\"q\""})); p.setObject(16, "1 mon 2 days 03:04:05", Types.OTHER);
          try (ResultSet r = p.executeQuery()) {
            r.next();
            same(r.getBoolean(1), true); same(r.getInt(2), -7); same(r.getLong(3), Long.MAX_VALUE); same(r.getDouble(4), 1.5);
            same(r.getBigDecimal(5), new BigDecimal("-12345678901234567890.120")); same(r.getString(6), "größe'\"\\");
            same(r.getBytes(7), new byte[] {0, 1, (byte) 255}); same(r.getObject(8, LocalDate.class), LocalDate.of(1969, 7, 20));
            same(r.getObject(9, LocalTime.class), LocalTime.of(1, 2, 3)); same(r.getObject(10, LocalDateTime.class), LocalDateTime.of(1999, 12, 31, 23, 59, 59));
            same(r.getObject(11, OffsetDateTime.class), when); same(r.getObject(12), id); same(r.getString(13), "{\"a\": [1, null]}");
            same(r.getArray(14).getArray(), new Long[] {1L, null, 3L}); same(r.getArray(15).getArray(), new String[] {"a,b", null, "\"q\""});
            same(r.getObject(16).toString(), "0 years 1 mons 2 days 3 hours 4 mins 5.0 secs");
          }
          for (int i = 1; i <= 16; i++) p.setNull(i, Types.NULL);
          try (ResultSet r = p.executeQuery()) {
            r.next();
            for (int i = 1; i <= 16; i++) same(r.getObject(i), null);
          }
        }
        ResultSetMetaData m = p.getMetaData();
        List<String> types = new ArrayList<>();
        for (int i = 1; i <= m.getColumnCount(); i++) types.add(m.getColumnTypeName(i));
        same(types, List.of("bool", "int4", "int8", "float8", "numeric", "text", "bytea", "date", "time", "timestamp", "timestamptz", "uuid", "jsonb", "_int8", "_text", "interval"));
        same(p.getParameterMetaData().getParameterTypeName(5), "numeric");
      }
      // Fetch size inside a transaction: the portal is suspended and goes on.
      c.setAutoCommit(false);
      try (PreparedStatement p = c.prepareStatement("SELECT g, 'row ' || g FROM generate_series(1, ?) AS g(g)")) {
        p.setFetchSize(100);
        p.setInt(1, 1234);
        try (ResultSet r = p.executeQuery()) {
          int n = 0;
          while (r.next()) same(r.getString(2), "row " + ++n);
          same(n, 1234);
        }
      }
      c.commit();
      // An error in a transaction, a savepoint.
      Savepoint s = c.setSavepoint();
      try (Statement st = c.createStatement()) {
        st.executeQuery("SELECT 1 / 0");
        throw new AssertionError("no error");
      } catch (SQLException e) {
        same(e.getSQLState(), "22012");
      }
      c.rollback(s);
      c.commit();
      c.setAutoCommit(true);
      // Definitions, one by one and as a batch; an error in the middle of a batch.
      try (Statement st = c.createStatement()) {
        st.executeUpdate("CREATE VIEW jdbc_a AS SELECT 1 AS a, 'x' AS b");
        st.addBatch("CREATE VIEW jdbc_b AS SELECT a FROM jdbc_a");
        st.addBatch("CREATE VIEW jdbc_c AS SELECT nosuch FROM jdbc_a");
        st.addBatch("CREATE VIEW jdbc_d AS SELECT a FROM jdbc_a");
        try {
          st.executeBatch();
          throw new AssertionError("no error");
        } catch (BatchUpdateException e) {
          same(e.getSQLState(), "42703");
          same(e.getUpdateCounts()[1], Statement.EXECUTE_FAILED);
        }
        st.clearBatch();
        try (ResultSet r = c.getMetaData().getColumns(null, "public", "jdbc_a", null)) {
          List<String> cols = new ArrayList<>();
          while (r.next()) cols.add(r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME"));
          same(cols, List.of("a int4", "b text"));
        }
        try (ResultSet r = c.getMetaData().getTables(null, null, "jdbc%", new String[] {"VIEW"})) {
          if (!r.next()) throw new AssertionError("no view");
        }
        try (ResultSet r = st.executeQuery("EXPLAIN SELECT a FROM jdbc_a WHERE a > 0")) {
          if (!r.next()) throw new AssertionError("no plan");
        }
        st.executeUpdate("DROP VIEW jdbc_a CASCADE");
        try (ResultSet r = st.executeQuery("SELECT count(*) FROM pg_class WHERE relname LIKE 'jdbc%'")) {
          r.next();
          same(r.getInt(1), 0);
        }
      }
      // Cancel.
      try (Statement st = c.createStatement()) {
        st.setQueryTimeout(1);
        st.executeQuery("SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b");
        throw new AssertionError("not cancelled");
      } catch (SQLException e) {
        same(e.getSQLState(), "57014");
      }
      try (Statement st = c.createStatement(); ResultSet r = st.executeQuery("SELECT 1")) {
        same(r.next(), true);
      }
    }
    System.out.println("pgjdbc ok: every type");
  }
}
