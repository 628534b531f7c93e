import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pulls } from './pulls.js';

const expiresMs = 30_000;

test('what is delivered is no longer to come', () => {
  const pulls = new Pulls(expiresMs);
  pulls.open(5, 0);
  pulls.delivered();
  pulls.delivered();
  assert.equal(pulls.requested, 3);
});

test('a pull that ended brings no more than the broker says it left', () => {
  const pulls = new Pulls(expiresMs);
  const first = pulls.open(5, 0);
  pulls.open(2, 0);
  pulls.delivered();
  pulls.ended(first.id, 4);
  assert.equal(pulls.requested, 2);
});

test('a pull lost without a word is not waited for beyond its expiry', () => {
  const pulls = new Pulls(expiresMs);
  pulls.open(5, 0);
  pulls.delivered();
  pulls.expire(expiresMs);
  assert.equal(pulls.requested, 4);
  pulls.expire(expiresMs + 10_000);
  assert.equal(pulls.requested, 0);
});

test('whatever happens, the count stays within what the open pulls can bring, and goes to nothing with them', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('open' as const), batch: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant('delivered' as const) }),
    fc.record({ kind: fc.constant('ended' as const), which: fc.nat(20), left: fc.option(fc.nat(60), { nil: undefined }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const pulls = new Pulls(expiresMs);
    const ids: string[] = [];
    let now = 0;
    let most = 0;
    for (const each of steps) {
      switch (each.kind) {
        case 'open': ids.push(pulls.open(each.batch, now).id); most += each.batch; break;
        case 'delivered': pulls.delivered(); break;
        case 'ended': pulls.ended(ids[each.which] ?? '', each.left); break;
        case 'wait': now += each.ms; pulls.expire(now); break;
      }
      assert.ok(pulls.requested >= 0 && pulls.requested <= most);
    }
    pulls.expire(now + 2 * expiresMs);
    assert.equal(pulls.requested, 0);
  }));
});
