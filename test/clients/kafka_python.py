"""kafka-python (pure Python) against a broker: admin, transactions, a group that reads committed records and its offsets."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

brokers, prefix = sys.argv[1], sys.argv[2]
topic, group = prefix + "-python", prefix + "-python-group"


def fail(why):
    sys.exit("kafka-python: " + why)


admin = KafkaAdminClient(bootstrap_servers=brokers)
admin.create_topics([NewTopic(topic, 2, 1)])

producer = KafkaProducer(bootstrap_servers=brokers, transactional_id=prefix + "-python-tx", acks="all", compression_type="gzip")
producer.init_transactions()
for kind, n, end in (("kept", 200, producer.commit_transaction), ("aborted", 100, producer.abort_transaction), ("later", 50, producer.commit_transaction)):
    producer.begin_transaction()
    sent = [producer.send(topic, key=f"{kind}{i}".encode(), value=f"{kind} {i}".encode(), headers=[("kind", kind.encode())]) for i in range(n)]
    if kind == "aborted":
        producer.flush()
    else:
        for s in sent:
            s.get(timeout=20)
    end()
producer.close()

want = {f"kept {i}" for i in range(200)} | {f"later {i}" for i in range(50)}
consumer = KafkaConsumer(topic, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest", isolation_level="read_committed",
                         enable_auto_commit=False, consumer_timeout_ms=20000)
got = []
for message in consumer:
    got.append(message.value.decode())
    if len(got) == len(want):
        break
if len(got) != len(want) or set(got) != want:
    fail(f"got {len(got)} records, {len(want - set(got))} are missing, {len(set(got) - want)} should not be there")
consumer.commit()
if sum(consumer.committed(TopicPartition(topic, p)) or 0 for p in range(2)) < len(want):
    fail("offsets were not committed")
consumer.close()
described = admin.describe_topics([topic])
if len(described[0]["partitions"]) != 2:
    fail(f"describe_topics said {described}")
print(f"kafka-python ok: {len(want)} records")
