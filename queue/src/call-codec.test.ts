import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Call } from './call.js';
import { decodeHeaderBlock, encodeCallHeaders, encodeCallbackHeaders, readCall, readCallback } from './call-codec.js';

const lane = { queue: 'default', namespace: 'openfaas-fn', function: 'wordcount' };
const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
// What Node's HTTP parser can hand us: visible ASCII, inner blanks, bytes above 0x7f.
const fieldValue = fc.array(fc.constantFrom(...visible, ' ', '\u0080', '\u00a0', '\u00e9', '\u00ff'), { maxLength: 60 })
  .map((chars) => chars.join('').replace(/^ +| +$/g, ''));
const raw = fc.array(fc.constantFrom(...visible), { maxLength: 40 }).map((chars) => chars.join(''));
const ordinary = token.filter((name) => !/^(nats-|postern-|x-call-id$|x-start-time$|x-callback-url$)/i.test(name));
const headers = fc.array(fc.tuple(ordinary, fieldValue), { maxLength: 12 });

test('every call is read back as it was written: order, case, repetitions and high bytes', () => {
  fc.assert(fc.property(headers, raw, raw, fc.option(fc.webUrl(), { nil: undefined }), fc.uint8Array(), (list, path, query, callbackUrl, body) => {
    const call: Call = {
      id: '0b0c5d5e-8f0b-4b0e-9a0c-3f5d5e8f0b4b', lane, method: 'POST', path: path && `/${path}`, query, headers: list, body,
      acceptedNs: '1795000000000000001', ...(callbackUrl === undefined ? {} : { callbackUrl }),
    };
    assert.deepEqual(readCall(lane, decodeHeaderBlock(encodeCallHeaders(call, 'm1')), body), call);
  }));
});

test('headers a caller sent under our prefixes, in any case, are not written', () => {
  const steering = ['Nats-Msg-Id', 'nats-expected-stream', 'NATS-TTL', 'postern-method', 'Postern-Path', 'X-CALL-ID', 'x-callback-url'];
  const call: Call = {
    id: 'a', lane, method: 'POST', path: '', query: '', body: new Uint8Array(), acceptedNs: '1',
    headers: [...steering.map((name) => [name, 'evil'] as const), ['X-Nats-Fine', 'kept']],
  };
  const block = encodeCallHeaders(call, 'm1').toString();
  assert.ok(!block.includes('evil'), block);
  assert.ok(block.includes('X-Nats-Fine: kept'));
});

test('every callback is read back as it was written', () => {
  fc.assert(fc.property(headers, fc.uint8Array(), (list, body) => {
    const callback = { callId: 'c1', url: 'https://example.com/a?b=c', headers: [['X-Call-Id', 'c1'] as const, ...list], body };
    assert.deepEqual(readCallback(decodeHeaderBlock(encodeCallbackHeaders(callback, 'm1')), body), callback);
  }));
});

test('no bytes make the decoder throw', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => { decodeHeaderBlock(bytes); }));
});
