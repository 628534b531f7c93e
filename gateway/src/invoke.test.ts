import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Invocation } from './invoke.js';
import { deferred, startFixture, startReplica } from './testing/fixture.js';

function invocation(over: Partial<Invocation> = {}): Invocation {
  return {
    function: 'fn.openfaas-fn', method: 'POST', target: '/a?b=c', headers: ['X-Own', '1'], body: Buffer.from('in'),
    signal: new AbortController().signal, maxAnswerBytes: 1_000, whenLonger: 'fail', ...over,
  };
}

test('a queued call run in this process gets the function\'s answer whole', async (t) => {
  const { gateway, deploy } = await startFixture(t);
  await deploy('fn', await startReplica(t, (req, res) => {
    res.writeHead(201, { 'X-Answer': `${req.method} ${req.url} ${req.headers['x-own']}` });
    req.pipe(res);
  }));
  const answer = await gateway.invoke(invocation());
  assert.equal(answer.status, 201);
  assert.equal(Buffer.from(answer.body).toString(), 'in');
  assert.equal(answer.headers.find(([name]) => name === 'X-Answer')?.[1], 'POST /a?b=c 1');
});

test('a longer answer is an error where all of it is needed, and cut where only the status is', async (t) => {
  const { gateway, deploy } = await startFixture(t);
  await deploy('fn', await startReplica(t, (_req, res) => { res.end('x'.repeat(5_000)); }));
  const failed = await gateway.invoke(invocation());
  assert.match(Buffer.from(failed.body).toString(), /answer_too_large/);
  assert.equal(failed.headers.find(([name]) => name === 'X-OpenFaaS-Internal')?.[1], 'gateway');
  assert.equal((await gateway.invoke(invocation({ whenLonger: 'cut' }))).status, 200);
});

test('a function that is not there, or never answers, is an answer of the gateway\'s own', async (t) => {
  const { gateway, deploy } = await startFixture(t, { upstream_timeout: '300ms' });
  await deploy('fn', await startReplica(t, () => { /* never answers */ }));
  for (const [over, status] of [[{ function: 'nobody.openfaas-fn' }, 404], [{}, 504]] as const) {
    const answer = await gateway.invoke(invocation(over));
    assert.equal(answer.status, status);
    assert.equal(answer.headers.find(([name]) => name === 'X-OpenFaaS-Internal')?.[1], 'gateway');
  }
});

test('giving up a call ends the function\'s work and rejects with the reason', async (t) => {
  const { gateway, deploy } = await startFixture(t);
  const arrived = deferred<void>();
  const gone = deferred<void>();
  await deploy('fn', await startReplica(t, (_req, res) => {
    res.on('close', () => { gone.resolve(); });
    arrived.resolve();
  }));
  const abort = new AbortController();
  const call = gateway.invoke(invocation({ signal: abort.signal }));
  await arrived.promise;
  abort.abort(new Error('let go'));
  await assert.rejects(call, /let go/);
  await gone.promise;
});

test('a call that HTTP cannot carry is a bad_call, which no other try will mend', async (t) => {
  const { gateway, deploy } = await startFixture(t);
  await deploy('fn', await startReplica(t, (_req, res) => { res.end(); }));
  for (const over of [{ target: '/a b' }, { headers: ['bad name', 'x'] }, { method: 'CONNECT' }]) {
    const answer = await gateway.invoke(invocation(over));
    assert.equal(answer.status, 400, JSON.stringify(over));
    assert.match(Buffer.from(answer.body).toString(), /bad_call/);
  }
});
