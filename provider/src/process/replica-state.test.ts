import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ReplicaEvent, type ReplicaState, hasProcess, steadyMs, transition } from './replica-state.js';

const fresh: ReplicaState = { kind: 'queued', failures: 0 };
const run = (events: readonly ReplicaEvent[], from: ReplicaState = fresh): ReplicaState => events.reduce(transition, from);

const start: ReplicaEvent = { kind: 'start' };
const readyAt = (atMs: number): ReplicaEvent => ({ kind: 'ready', url: 'http://127.0.0.1:1', atMs });
const exitedAt = (atMs: number): ReplicaEvent => ({ kind: 'exited', reason: 'ended with exit code 1', atMs });

test('failures add up from start to start, and the last reason stays in sight', () => {
  const twice = run([start, exitedAt(1), { kind: 'retry' }, start, exitedAt(2), { kind: 'retry' }]);
  assert.deepEqual(twice, { kind: 'queued', failures: 2, reason: 'ended with exit code 1' });
});

test('a replica that was ready for a while starts with a clean slate, one that was not does not', () => {
  const failing: ReplicaState = { kind: 'starting', failures: 7 };
  for (const [lastedMs, failures] of [[steadyMs, 1], [steadyMs - 1, 8]] as const) {
    assert.deepEqual(run([readyAt(0), exitedAt(lastedMs)], failing), { kind: 'backoff', failures, reason: 'ended with exit code 1' });
  }
});

test('a condemned replica gives the cause, not how its process ended', () => {
  const state = run([start, { kind: 'condemned', reason: 'used too much', atMs: 1 }, exitedAt(2)]);
  assert.deepEqual(state, { kind: 'backoff', failures: 1, reason: 'used too much' });
});

test('a replica that finishes is never ready again, and its next start counts the failure', () => {
  const finishing = run([start, readyAt(0), { kind: 'finishing', reason: 'crashed', atMs: 1 }, readyAt(2)]);
  assert.deepEqual(finishing, { kind: 'finishing', reason: 'crashed', failures: 0 });
  assert.deepEqual(run([exitedAt(3)], finishing), { kind: 'backoff', reason: 'crashed', failures: 1 });
});

test('a stop before there is a process ends at once; with one it waits for its exit', () => {
  assert.equal(run([{ kind: 'stop' }]).kind, 'ended');
  assert.equal(run([start, { kind: 'stop' }]).kind, 'stopping');
  assert.equal(run([start, { kind: 'stop' }, exitedAt(1)]).kind, 'ended');
});

const event: fc.Arbitrary<ReplicaEvent> = fc.oneof(
  fc.constantFrom<ReplicaEvent>(start, { kind: 'retry' }, { kind: 'stop' }),
  fc.nat(100_000).map(readyAt), fc.nat(100_000).map(exitedAt),
  fc.nat(100_000).map((atMs): ReplicaEvent => ({ kind: 'unready', reason: 'r', atMs })),
  fc.nat(100_000).map((atMs): ReplicaEvent => ({ kind: 'finishing', reason: 'f', atMs })),
  fc.nat(100_000).map((atMs): ReplicaEvent => ({ kind: 'condemned', reason: 'c', atMs })),
);

test('whatever happens: after stop no process starts, ended is final, and a process comes only by start and goes only by exit', () => {
  fc.assert(fc.property(fc.array(event), (events) => {
    let state = run([]);
    let stopped = false;
    for (const each of events) {
      const next = transition(state, each);
      if (state.kind === 'ended') assert.equal(next, state);
      if (!hasProcess(state) && hasProcess(next)) assert.ok(each.kind === 'start' && !stopped);
      if (hasProcess(state) && !hasProcess(next)) assert.equal(each.kind, 'exited');
      stopped ||= each.kind === 'stop';
      if (stopped) assert.ok(next.kind === 'stopping' || next.kind === 'ended');
      state = next;
    }
  }));
});
