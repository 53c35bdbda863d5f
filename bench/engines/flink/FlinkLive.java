import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs q1 from a topic to a topic, exactly once, until it is killed. Arguments: tables.sql brokers topic out checkpoint-ms folder. */
public class FlinkLive {
  public static void main(String[] a) throws Exception {
    var c = new Configuration();
    c.setString("parallelism.default", "1");
    c.setString("taskmanager.numberOfTaskSlots", "1");
    c.setString("state.backend.type", "hashmap");
    c.setString("execution.checkpointing.interval", a[4] + " ms");
    c.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    c.setString("execution.checkpointing.dir", Path.of(a[5]).toUri().toString());
    var t = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(c).build());
    for (String s : FlinkQuery.statements(Files.readString(Path.of(a[0])))) {
      t.executeSql(s.replace("${TOPIC}", a[2]).replace("${BROKERS}", a[1])
          .replace("'scan.bounded.mode' = 'specific-offsets', 'scan.bounded.specific-offsets' = '${BOUNDS}',", ""));
    }
    t.executeSql("CREATE TABLE answers (auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), date_time TIMESTAMP(3), extra STRING) WITH ("
        + "'connector' = 'kafka', 'topic' = '" + a[3] + "', 'properties.bootstrap.servers' = '" + a[1] + "', 'format' = 'json',"
        + "'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'flink-" + System.nanoTime() + "',"
        + "'properties.transaction.timeout.ms' = '60000')");
    t.executeSql("INSERT INTO answers SELECT auction, bidder, 0.908 * price, date_time, extra FROM bid").await();
  }
}
