import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadCallbackUrl, checkCallbackUrl, isAllowedAddress, parseCallbackAllow } from './callback-target.js';

const nothing = parseCallbackAllow([]);

for (const url of [
  'http://127.0.0.1/', 'http://127.9.9.9:8080/x', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://0/',
  'http://[::1]/', 'http://[::]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:a00:1]/', 'http://[::127.0.0.1]/',
  'http://localhost/', 'http://LOCALHOST:1/', 'http://localhost./', 'http://a.localhost/', 'http://127.0.0.1./',
  'http://10.1.2.3/', 'http://172.16.0.1/', 'http://192.168.1.1/', 'http://100.64.0.1/', 'http://169.254.169.254/latest',
  'http://[fd00:ec2::254]/', 'http://[fe80::1]/', 'http://[ff02::1]/', 'http://224.0.0.1/', 'http://255.255.255.255/',
  'http://168.63.129.16/', 'http://[64:ff9b::a00:1]/', 'http://[2002:a00:1::]/',
]) {
  test(`${url} is refused, and the message names callback_allow`, () => {
    assert.throws(() => checkCallbackUrl(url, nothing), (error: Error) => {
      assert.ok(error instanceof BadCallbackUrl);
      assert.equal(error.code, 'bad_callback_url');
      assert.match(error.message, /callback_allow/);
      return true;
    });
  });
}

for (const url of ['', 'example.com', '/hook', '//example.com/', 'ftp://example.com/', 'file:///etc/passwd', 'ht tp://x', 'http://', 'javascript:0']) {
  test(`"${url}" is no callback URL, whatever is allowed`, () => {
    assert.throws(() => checkCallbackUrl(url, parseCallbackAllow(['*'])), BadCallbackUrl);
  });
}

for (const url of ['https://example.com/a?b=c', 'http://user:secret@example.com:8080/', 'http://93.184.216.34/', 'https://[2606:2800:220:1::1]/']) {
  test(`${url} is a callback URL`, () => assert.equal(checkCallbackUrl(url, nothing).href, new URL(url).href));
}

for (const [entry, url, allowed] of [
  ['127.0.0.0/8', 'http://127.0.0.1:9/', true], ['127.0.0.0/8', 'http://localhost/', true], ['::1', 'http://localhost/', true],
  ['127.0.0.0/8', 'http://[::ffff:127.0.0.1]/', true], ['127.0.0.0/8', 'http://10.0.0.1/', false], ['::1', 'http://127.0.0.1/', false],
  ['10.0.0.5', 'http://10.0.0.5/', true], ['10.0.0.5', 'http://10.0.0.6/', false], ['fd00::/8', 'http://[fd00:ec2::254]/', true],
  ['localhost', 'http://LocalHost./', true], ['localhost', 'http://127.0.0.1/', false], ['*', 'http://169.254.169.254/', true],
] as const) {
  test(`callback_allow ${entry} ${allowed ? 'opens' : 'does not open'} ${url}`, () => {
    const check = () => checkCallbackUrl(url, parseCallbackAllow([entry]));
    if (allowed) check();
    else assert.throws(check, BadCallbackUrl);
  });
}

test('an allowed host name may resolve to any address, another may not', () => {
  const allow = parseCallbackAllow(['Hooks.Internal.']);
  assert.ok(isAllowedAddress('10.0.0.1', 'hooks.internal', allow));
  assert.ok(!isAllowedAddress('10.0.0.1', 'other.internal', allow));
  assert.ok(!isAllowedAddress('not an address', 'hooks.internal', allow));
});

for (const entry of ['10.0.0.0/99', '300.1.1.1', '127.1', '2130706433', 'http://x', 'a b', '-x', '']) {
  test(`callback_allow "${entry}" is refused`, () => assert.throws(() => parseCallbackAllow([entry]), RangeError));
}

test('no text makes the check throw anything but BadCallbackUrl, and what passes is http', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.ipV4().map((ip) => `http://${ip}/`), fc.ipV6().map((ip) => `http://[${ip}]/`)), (text) => {
    try {
      assert.match(checkCallbackUrl(text, nothing).protocol, /^https?:$/);
    } catch (error) {
      assert.ok(error instanceof BadCallbackUrl);
    }
  }));
});

test('every address of a private network is refused, also mapped into IPv6', () => {
  const byte = fc.nat({ max: 255 });
  fc.assert(fc.property(fc.constantFrom('10', '127', '0', '169.254', '192.168', '172.31'), byte, byte, byte, (prefix, a, b, c) => {
    const ip = `${prefix}.${a}.${b}.${c}`.split('.').slice(0, 4).join('.');
    assert.ok(!isAllowedAddress(ip, 'example.com', nothing));
    assert.ok(!isAllowedAddress(`::ffff:${ip}`, 'example.com', nothing));
  }));
});
