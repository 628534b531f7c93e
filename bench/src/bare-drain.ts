/** The yardstick for draining: the shortest loop that takes stored messages, POSTs each and removes it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { AckPolicy, RetentionPolicy, connect, nanos } from 'nats';
import { Pool } from 'undici';

export interface Load {
  readonly calls: number;
  readonly bodyBytes: number;
  readonly inFlight: number;
}

/** @returns messages per second */
export async function bareJetStream(url: string, natsUrl: string, load: Load): Promise<number> {
  const nc = await connect({ servers: natsUrl });
  const manager = await nc.jetstreamManager();
  await manager.streams.add({ name: 'BARE', subjects: ['bare.>'], retention: RetentionPolicy.Workqueue });
  await manager.consumers.add('BARE', { durable_name: 'bare', ack_policy: AckPolicy.Explicit, ack_wait: nanos(30_000), max_ack_pending: 10_000 });
  const js = nc.jetstream();
  const body = Buffer.alloc(load.bodyBytes, 'x');
  for (let sent = 0; sent < load.calls; sent += 1_000) {
    await Promise.all(Array.from({ length: Math.min(1_000, load.calls - sent) }, () => js.publish('bare.call', body)));
  }
  const post = poster(url, load.inFlight);
  const consumer = await js.consumers.get('BARE', 'bare');
  const start = performance.now();
  let done = 0;
  const messages = await consumer.consume({ max_messages: load.inFlight });
  const running = new Set<Promise<void>>();
  for await (const message of messages) {
    const one = post.send(message.data).then(() => {
      message.ack();
      running.delete(one);
      if (++done === load.calls) messages.stop();
    });
    running.add(one);
    if (running.size >= load.inFlight) await Promise.race(running);
  }
  const elapsed = (performance.now() - start) / 1_000;
  await post.close();
  await manager.streams.delete('BARE');
  await nc.close();
  return load.calls / elapsed;
}

/** @returns messages per second */
export async function bareEmbedded(url: string, _natsUrl: string, load: Load): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-bare-'));
  const db = open<Buffer, number>({ path: dir, encoding: 'binary', keyEncoding: 'uint32' });
  const body = Buffer.alloc(load.bodyBytes, 'x');
  for (let key = 1; key < load.calls; key++) void db.put(key, body);
  await db.put(load.calls, body);
  const post = poster(url, load.inFlight);
  const start = performance.now();
  const running = new Set<Promise<void>>();
  for (const { key, value } of db.getRange({ snapshot: false })) {
    const one = post.send(value).then(async () => {
      await db.remove(key);
      running.delete(one);
    });
    running.add(one);
    if (running.size >= load.inFlight) await Promise.race(running);
  }
  await Promise.all(running);
  const elapsed = (performance.now() - start) / 1_000;
  await post.close();
  await db.close();
  rmSync(dir, { recursive: true });
  return load.calls / elapsed;
}

function poster(url: string, connections: number) {
  const pool = new Pool(url, { connections });
  return {
    async send(body: Uint8Array): Promise<void> {
      const answer = await pool.request({ path: '/', method: 'POST', body });
      await answer.body.dump();
      if (answer.statusCode !== 200) throw new Error(`the handler answered ${answer.statusCode}`);
    },
    close: () => pool.close(),
  };
}
