import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endToEndHeaders } from './hop-by-hop.js';

test('headers keep their case, order and repetitions; those of this hop go', () => {
  const raw = [
    'Host', 'f', 'X-Foo', '1', 'x-foo', '2', 'Connection', 'keep-alive', 'Keep-Alive', 'timeout=5', 'TE', 'trailers',
    'Transfer-Encoding', 'chunked', 'Expect', '100-continue', 'Proxy-Authorization', 'Basic eA==',
    'Set-Cookie', 'a', 'Set-Cookie', 'b',
  ];
  assert.deepEqual(endToEndHeaders(raw), ['Host', 'f', 'X-Foo', '1', 'x-foo', '2', 'Set-Cookie', 'a', 'Set-Cookie', 'b']);
});

test('a header that Connection names goes too, its value never being taken for a name', () => {
  assert.deepEqual(
    endToEndHeaders(['X-Hop', 'v', 'Connection', 'close, X-Hop', 'Other', 'x-hop']),
    ['Other', 'x-hop'],
  );
});
