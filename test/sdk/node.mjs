// Sends events with Segment's Node SDK and prints what became of them:
//   node node.mjs BASE_URL WRITE_KEY COUNT [single]
// One line of JSON: {"sdk", "delivered": [messageId…], "failed": [{messageId, reason}…]}. With "single" each event is a request.
import { Analytics } from '@segment/analytics-node';
import { call } from './calls.mjs';

const [base, writeKey, count, mode] = process.argv.slice(2);
const analytics = new Analytics({
  writeKey,
  host: base,
  maxEventsInBatch: mode === 'single' ? 1 : 15,
  flushInterval: 200,
  maxRetries: 10,
});

const delivered = [];
const failed = [];
const pending = [];
for (let i = 0; i < Number(count); i++) {
  const [method, params] = call(i, `node-user-${i % 7}`);
  pending.push(
    new Promise((done) => {
      analytics[method](params, (err, ctx) => {
        if (err) failed.push({ messageId: ctx?.event?.messageId, reason: String(err.message ?? err.reason ?? err) });
        else delivered.push(ctx.event.messageId);
        done();
      });
    }),
  );
}
await analytics.closeAndFlush({ timeout: 90_000 });
await Promise.all(pending);
console.log(JSON.stringify({ sdk: 'analytics-node', delivered, failed }));
