import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs a query over a topic in a MiniCluster, into a blackhole: once to warm up, once over 1,000 events to know what starting costs,
 * and once over all, which is measured. Arguments: tables.sql query.sql brokers topic partitions events warm checkpoints.
 */
public class FlinkQuery {
  static double cpu() {
    var bean = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
    return bean.getProcessCpuTime() / 1e9;
  }

  static List<String> statements(String text) {
    var out = new ArrayList<String>();
    var plain = new StringBuilder();
    for (String line : text.split("\n")) {
      if (!line.startsWith("--")) {
        plain.append(line).append('\n');
      }
    }
    for (String s : plain.toString().split(";")) {
      if (!s.isBlank()) {
        out.add(s.strip());
      }
    }
    return out;
  }

  static void run(String[] a, long events) throws Exception {
    var c = new Configuration();
    c.setString("parallelism.default", "2");
    c.setString("taskmanager.numberOfTaskSlots", "2");
    c.setString("taskmanager.memory.managed.size", "512m");
    c.setString("taskmanager.memory.network.min", "256m");
    c.setString("taskmanager.memory.network.max", "256m");
    c.setString("state.backend.type", "hashmap");
    c.setString("execution.checkpointing.interval", "10 s");
    c.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    c.setString("execution.checkpointing.dir", Path.of(a[7]).toUri().toString());
    c.setString("execution.checkpointing.checkpoints-after-tasks-finish.enabled", "false");
    c.setString("table.exec.mini-batch.enabled", "true");
    c.setString("table.exec.mini-batch.allow-latency", "2 s");
    c.setString("table.exec.mini-batch.size", "50000");
    c.setString("table.optimizer.distinct-agg.split.enabled", "true");
    var t = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(c).build());
    int partitions = Integer.parseInt(a[4]);
    var bounds = new StringBuilder();
    for (int i = 0; i < partitions; i++) {
      bounds.append(i > 0 ? ";" : "").append("partition:").append(i).append(",offset:").append((events + partitions - 1 - i) / partitions);
    }
    for (String s : statements(Files.readString(Path.of(a[0])))) {
      t.executeSql(s.replace("${TOPIC}", a[3]).replace("${BROKERS}", a[2]).replace("${BOUNDS}", bounds));
    }
    Table query = t.sqlQuery(statements(Files.readString(Path.of(a[1]))).get(0));
    var schema = Schema.newBuilder().fromResolvedSchema(query.getResolvedSchema()).build();
    query.insertInto(TableDescriptor.forConnector("blackhole").schema(schema).build()).execute().await();
  }

  /** Bytes of files below a folder, as far as they do not vanish meanwhile. */
  static long size(Path dir) {
    try (var files = Files.walk(dir)) {
      return files.mapToLong(f -> f.toFile().isFile() ? f.toFile().length() : 0).sum();
    } catch (Exception e) {
      return 0;
    }
  }

  public static void main(String[] a) throws Exception {
    long events = Long.parseLong(a[5]), warm = Long.parseLong(a[6]);
    if (warm > 0) {
      run(a, warm);
    }
    double before = cpu();
    long began = System.nanoTime();
    run(a, 1000);
    double startCPU = cpu() - before, startWall = (System.nanoTime() - began) / 1e9;
    System.gc();
    var state = new AtomicLong();
    var watcher = new Thread(() -> {
      while (!Thread.interrupted()) {
        state.accumulateAndGet(size(Path.of(a[7])), Math::max);
        try {
          Thread.sleep(200);
        } catch (InterruptedException e) {
          return;
        }
      }
    });
    watcher.setDaemon(true);
    watcher.start();
    before = cpu();
    began = System.nanoTime();
    run(a, events);
    double spent = cpu() - before - startCPU, wall = (System.nanoTime() - began) / 1e9 - startWall;
    long peak = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) {
        peak = Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    System.out.printf("RESULT {\"events\":%d,\"cpu\":%.3f,\"wall\":%.3f,\"start\":%.3f,\"peak\":%d,\"state\":%d}%n", events, spent, wall, startCPU, peak, state.get());
    System.exit(0);
  }
}
