// kafkajs against a broker: admin, a transaction committed and one aborted, a group that reads what was committed.
import { Kafka, logLevel } from "kafkajs";

const [brokers, prefix] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "kafkajs", brokers: [brokers], logLevel: logLevel.ERROR });
const topic = `${prefix}-kafkajs`;
const fail = (why) => {
  console.error(`kafkajs: ${why}`);
  process.exit(1);
};

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] });

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: `${prefix}-kafkajs-tx` });
await producer.connect();
const messages = (kind, n) => Array.from({ length: n }, (_, i) => ({ key: `${kind}${i}`, value: `${kind} ${i}` }));
for (const [kind, n, keep] of [["kept", 200, true], ["aborted", 100, false], ["later", 50, true]]) {
  const tx = await producer.transaction();
  await tx.send({ topic, messages: messages(kind, n) });
  await (keep ? tx.commit() : tx.abort());
}
await producer.disconnect();

const want = new Set([...messages("kept", 200), ...messages("later", 50)].map((m) => m.value));
const got = [];
const consumer = kafka.consumer({ groupId: `${prefix}-kafkajs-group`, maxWaitTimeInMs: 100 });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const late = setTimeout(() => fail(`only ${got.length} of ${want.size} records came`), 30_000);
await new Promise((all) => {
  consumer.run({
    eachMessage: async ({ message }) => {
      got.push(message.value.toString());
      if (got.length === want.size) all();
    },
  });
});
clearTimeout(late);
if (new Set(got).size !== want.size || got.some((v) => !want.has(v))) fail(`the records differ: ${got.filter((v) => !want.has(v)).slice(0, 3)}`);
await consumer.disconnect();
const offsets = await admin.fetchTopicOffsets(topic);
if (offsets.length !== 2) fail(`fetchTopicOffsets said ${JSON.stringify(offsets)}`);
await admin.disconnect();
console.log(`kafkajs ok: ${want.size} records`);
