import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;

/**
 * Kafka Streams over the topic of bids: q1 (prices in another currency) or count (bids of each auction in ten seconds of event time).
 * Arguments: brokers topic out query guarantee commitMs events warm state. With out "" results are thrown away, and what is measured is
 * from event warm to event events; else it runs until it is killed, from the end of the topic on.
 */
public class StreamsQuery {
  static final ObjectMapper JSON = new ObjectMapper();
  static final AtomicLong read = new AtomicLong(), bids = new AtomicLong(), counted = new AtomicLong();
  static long warm;
  static volatile double beganCPU;
  static volatile long began;

  static double cpu() {
    var bean = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
    return bean.getProcessCpuTime() / 1e9;
  }

  static JsonNode parse(byte[] bytes) {
    if (read.incrementAndGet() == warm + 1) {
      beganCPU = cpu();
      began = System.nanoTime();
    }
    try {
      return JSON.readTree(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static byte[] write(JsonNode n) {
    try {
      return JSON.writeValueAsBytes(n);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static boolean isBid(JsonNode n) {
    return n.path("event_type").asInt() == 2;
  }

  static byte[] euros(JsonNode n) {
    var bid = (ObjectNode) n.get("bid");
    var price = bid.get("price").decimalValue().multiply(new java.math.BigDecimal("0.908"));
    return write(bid.put("price", price));
  }

  public static void main(String[] a) throws Exception {
    long events = Long.parseLong(a[6]);
    warm = Long.parseLong(a[7]);
    boolean live = !a[2].isEmpty();
    var p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, "streams-" + System.nanoTime());
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, a[0]);
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, a[4].equals("exactly-once") ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, a[5]);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, live ? 1 : 2);
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    p.put(StreamsConfig.STATE_DIR_CONFIG, a[8]);
    p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, live ? "latest" : "earliest");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    Serde<JsonNode> json = Serdes.serdeFrom((t, n) -> write(n), (t, b) -> parse(b));
    var b = new StreamsBuilder();
    var in = b.stream(a[1], Consumed.with(Serdes.ByteArray(), json).withTimestampExtractor((r, before) -> {
      JsonNode n = (JsonNode) r.value();
      String at = n.path("bid").path("dateTime").asText("");
      return at.isEmpty() ? Math.max(before, 0) : LocalDateTime.parse(at.replace(' ', 'T')).toInstant(ZoneOffset.UTC).toEpochMilli();
    })).filter((k, n) -> isBid(n));
    if (a[3].equals("q1")) {
      var out = in.mapValues(StreamsQuery::euros);
      if (live) {
        out.to(a[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
      } else {
        out.foreach((k, v) -> counted.incrementAndGet());
      }
    } else {
      in.map((k, n) -> {
        bids.incrementAndGet();
        return KeyValue.pair(n.get("bid").get("auction").asLong(), new byte[0]);
      }).repartition(Repartitioned.with(Serdes.Long(), Serdes.ByteArray()))
          .peek((k, v) -> counted.incrementAndGet())
          .groupByKey(Grouped.with(Serdes.Long(), Serdes.ByteArray()))
          .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(4)))
          .count().toStream().foreach((k, v) -> { });
    }
    try (var streams = new KafkaStreams(b.build(), p)) {
      streams.start();
      while (live) {
        Thread.sleep(1000);
      }
      while (read.get() < events || a[3].equals("count") && counted.get() < bids.get()) {
        Thread.sleep(20);
      }
      double spent = cpu() - beganCPU, wall = (System.nanoTime() - began) / 1e9;
      long peak = 0, state = 0;
      for (String line : Files.readAllLines(Path.of("/proc/self/status"), StandardCharsets.UTF_8)) {
        if (line.startsWith("VmHWM:")) {
          peak = Long.parseLong(line.replaceAll("\\D", "")) << 10;
        }
      }
      try (var files = Files.walk(Path.of(a[8]))) {
        state = files.mapToLong(f -> f.toFile().isFile() ? f.toFile().length() : 0).sum();
      }
      System.out.printf("RESULT {\"events\":%d,\"cpu\":%.3f,\"wall\":%.3f,\"peak\":%d,\"state\":%d}%n", events - warm, spent, wall, peak, state);
      System.out.flush();
      Runtime.getRuntime().halt(0);
    }
  }
}
