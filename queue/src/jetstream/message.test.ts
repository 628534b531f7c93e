import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDelivery } from './message.js';

const delivery = { stream: 'POSTERN_CALLS', consumer: 'default=openfaas-fn=echo', attempt: 3, sequence: '18446744073709551615', storedNs: '1700000000000000000' };

for (const [reply, form] of [
  ['$JS.ACK.POSTERN_CALLS.default=openfaas-fn=echo.3.18446744073709551615.7.1700000000000000000.0', 'nine tokens'],
  ['$JS.ACK.hub.ABCDEF.POSTERN_CALLS.default=openfaas-fn=echo.3.18446744073709551615.7.1700000000000000000.0.x', 'twelve tokens'],
  ['$JS.ACK._.ABCDEF.POSTERN_CALLS.default=openfaas-fn=echo.3.18446744073709551615.7.1700000000000000000.0', 'eleven tokens'],
] as const) {
  test(`a delivery is read from a reply subject of ${form}, sequence to the last digit`, () => {
    assert.deepEqual(parseDelivery(reply), delivery);
  });
}

test('what is no delivery\'s reply subject is told apart', () => {
  for (const reply of ['', '_INBOX.abc.1', '$JS.ACK', '$JS.ACK.a.b.c.d.e.f.g', '$JS.API.STREAM.INFO.A.B.C.D.E']) {
    assert.equal(parseDelivery(reply), undefined, reply);
  }
  fc.assert(fc.property(fc.string(), (text) => { parseDelivery(text); }));
});
