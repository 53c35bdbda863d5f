"""confluent-kafka (librdkafka) against a broker: compacted topic, transactions, read_committed under both group protocols."""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

brokers, prefix = sys.argv[1], sys.argv[2]
topic = prefix + "-confluent"


def fail(why):
    sys.exit("confluent-kafka: " + why)


admin = AdminClient({"bootstrap.servers": brokers})
created = admin.create_topics([NewTopic(topic, 3, 1, config={"cleanup.policy": "compact"})])
created[topic].result(20)

producer = Producer({"bootstrap.servers": brokers, "transactional.id": prefix + "-tx", "linger.ms": 5})
producer.init_transactions(20)
failures = []


def reported(err, _message):
    if err:
        failures.append(str(err))


def transaction(kind, n, end):
    producer.begin_transaction()
    for i in range(n):
        producer.produce(topic, key=f"{kind}{i}", value=f"{kind} {i}", on_delivery=reported)
    producer.flush(20)
    end(20)


transaction("kept", 300, producer.commit_transaction)
transaction("aborted", 200, producer.abort_transaction)
transaction("later", 100, producer.commit_transaction)
if failures:
    fail(f"{len(failures)} records failed, first: {failures[0]}")

want = {f"kept {i}" for i in range(300)} | {f"later {i}" for i in range(100)}
for protocol in ("classic", "consumer"):
    group = f"{prefix}-{protocol}"
    settings = {"bootstrap.servers": brokers, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest",
                "isolation.level": "read_committed", "enable.auto.commit": False}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    got, deadline = [], time.monotonic() + 30
    while len(got) < len(want) and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            fail(f"{protocol}: {message.error()}")
        got.append(message.value().decode())
    if len(got) != len(want) or set(got) != want:
        fail(f"{protocol}: got {len(got)} records, {len(want - set(got))} are missing, {len(set(got) - want)} should not be there")
    consumer.commit(asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, p) for p in range(3)], timeout=20)
    if sum(p.offset for p in committed) < len(want):
        fail(f"{protocol}: committed {committed}")
    consumer.close()
print(f"confluent-kafka ok: {len(want)} records under two group protocols")
