"""Sends events with Segment's Python SDK and prints what became of them:

    python send.py BASE_URL WRITE_KEY COUNT [gzip] [single]

One line of JSON: {"sdk", "delivered": [messageId...], "failed": [{"messageId", "reason"}...]}.
"""

import json
import sys

from segment.analytics.client import Client

base, key, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
modes = sys.argv[4:]
failed = []


def on_error(error, batch):
    for message in batch:
        failed.append({"messageId": message.get("messageId"), "reason": str(error)})


client = Client(
    key,
    host=base,
    gzip="gzip" in modes,
    upload_size=1 if "single" in modes else 100,
    upload_interval=0.2,
    on_error=on_error,
)
context = {"campaign": {"source": "news", "medium": "email", "name": "autumn"}}
sent = []
for i in range(count):
    user = f"python-user-{i % 7}"
    kind = i % 6
    if kind == 0:
        ok, message = client.identify(user, {"email": f"{user}@example.com", "n": i}, context)
    elif kind == 1:
        ok, message = client.page(user, "Shop", "Home", {"url": "https://shop.example/", "n": i}, context)
    elif kind == 2:
        ok, message = client.screen(anonymous_id=f"anon-{i}", name="Cart", properties={"n": i}, context=context)
    elif kind == 3:
        ok, message = client.group(user, "g-1", {"name": "Example", "n": i}, context)
    elif kind == 4:
        ok, message = client.alias(f"anon-{i}", user)
    else:
        ok, message = client.track(user, "Order Completed", {"order_id": f"o-{i}", "total": 12.5, "currency": "EUR", "n": i}, context)
    if not ok:
        failed.append({"messageId": message.get("messageId"), "reason": "the queue is full"})
        continue
    sent.append(message["messageId"])
client.flush()
client.join()
lost = {f["messageId"] for f in failed}
print(json.dumps({"sdk": "analytics-python", "delivered": [m for m in sent if m not in lost], "failed": failed}))
