import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { localS3Keys, startLocalS3 } from './local-s3.js';

test("today's AWS SDK puts, lists and reads objects byte for byte, and they outlive the server", async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'local-s3-'));
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
  const Bucket = 'papers';
  for (const life of [1, 2]) {
    const s3 = await startLocalS3({ dir, bucket: Bucket });
    const client = new S3Client({
      endpoint: s3.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: localS3Keys, requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    if (life === 1) {
      await client.send(new PutObjectCommand({ Bucket, Key: 'a/whole.pdf', Body: body, ContentType: 'application/pdf' }));
      const stream = Readable.from([body.subarray(0, 999), body.subarray(999)]);
      await client.send(new PutObjectCommand({ Bucket, Key: 'a/streamed.pdf', Body: stream, ContentLength: body.length }));
    }
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a/' }));
    assert.deepEqual(Contents?.map(({ Key, Size }) => [Key, Size]), [['a/streamed.pdf', body.length], ['a/whole.pdf', body.length]]);
    for (const Key of ['a/whole.pdf', 'a/streamed.pdf']) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      assert.ok(body.equals(await Body?.transformToByteArray() ?? Buffer.alloc(0)), Key);
    }
    assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key: 'a/whole.pdf' }))).ContentType, 'application/pdf');
    client.destroy();
    await s3.close();
  }
  await rm(dir, { recursive: true });
});
