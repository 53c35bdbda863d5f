import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.from_json;
import static org.apache.spark.sql.functions.window;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.StructType;

/**
 * Spark Structured Streaming over the topic of bids: q1 (prices in another currency) or count (bids of each auction in ten seconds of
 * event time), into its sink that does nothing. Arguments: brokers topic query events warm folder. The last warm events are read first.
 */
public class SparkQuery {
  static double cpu() {
    var bean = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
    return bean.getProcessCpuTime() / 1e9;
  }

  static long size(Path dir) throws Exception {
    try (var files = Files.walk(dir)) {
      return files.mapToLong(f -> f.toFile().isFile() ? f.toFile().length() : 0).sum();
    }
  }

  static void run(SparkSession spark, String[] a, long from, String checkpoint) throws Exception {
    var bid = new StructType().add("auction", "bigint").add("bidder", "bigint").add("price", "bigint").add("channel", "string")
        .add("url", "string").add("dateTime", "timestamp").add("extra", "string");
    var event = new StructType().add("event_type", "int").add("bid", bid);
    String start = "{\"" + a[1] + "\":{\"0\":" + from / 2 + ",\"1\":" + from / 2 + "}}";
    Dataset<Row> bids = spark.readStream().format("kafka").option("kafka.bootstrap.servers", a[0]).option("subscribe", a[1])
        .option("startingOffsets", start).option("maxOffsetsPerTrigger", 1_000_000).load()
        .select(from_json(col("value").cast("string"), event).as("e")).where("e.event_type = 2").select("e.bid.*");
    Dataset<Row> out;
    if (a[2].equals("q1")) {
      out = bids.select(col("auction"), col("bidder"), expr("0.908 * price").as("price"), col("dateTime"), col("extra"));
    } else {
      out = bids.withWatermark("dateTime", "4 seconds").groupBy(window(col("dateTime"), "10 seconds"), col("auction")).count();
    }
    out.writeStream().format("noop").outputMode("append").trigger(Trigger.AvailableNow()).option("checkpointLocation", checkpoint)
        .start().awaitTermination();
  }

  public static void main(String[] a) throws Exception {
    long events = Long.parseLong(a[3]), warm = Long.parseLong(a[4]);
    var spark = SparkSession.builder().master("local[2]").appName("engines").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC").config("spark.local.dir", a[5] + "/local")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.streaming.stateStore.providerClass", "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider")
        .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    run(spark, a, events - warm, a[5] + "/warm");
    System.gc();
    double before = cpu();
    long began = System.nanoTime();
    run(spark, a, 0, a[5] + "/run");
    double spent = cpu() - before, wall = (System.nanoTime() - began) / 1e9;
    long peak = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/status"), StandardCharsets.UTF_8)) {
      if (line.startsWith("VmHWM:")) {
        peak = Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    System.out.printf("RESULT {\"events\":%d,\"cpu\":%.3f,\"wall\":%.3f,\"peak\":%d,\"state\":%d}%n", events, spent, wall, peak, size(Path.of(a[5] + "/run")));
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}
