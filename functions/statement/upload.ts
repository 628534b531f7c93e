/** Puts a statement into S3, or any store that speaks its protocol, as it is drawn. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { StorageUnavailable } from './errors.ts';

export interface StoreSettings {
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  readonly bucket: string;
  readonly region: string;
  /** `http://host/bucket/key` instead of `http://bucket.host/key`: what most stores but Amazon's expect. */
  readonly pathStyle: boolean;
  /** Holds the files `s3-access-key` and `s3-secret-key`. */
  readonly secretsDir: string;
  /** Used when there are no secrets. */
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
}

export interface Store {
  /**
   * Writes the object, or writes it again: the last complete body counts, half of one is never seen.
   * @returns the object's URL
   * @throws {StorageUnavailable}
   */
  put(key: string, body: Readable, signal: AbortSignal): Promise<string>;
  close(): void;
}

export function openStore(settings: StoreSettings): Store {
  const { bucket, region, pathStyle, endpoint } = settings;
  const client = new S3Client({
    region, forcePathStyle: pathStyle, ...(endpoint === undefined ? {} : { endpoint }),
    credentials: () => readCredentials(settings),
    // Newer SDKs add a checksum as a trailer to streamed bodies; older stores take that trailer for part of the body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // The queue tries again for minutes: no need to wait long for a store that is away.
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 20_000 },
  });
  return {
    async put(key, body, signal) {
      signal.throwIfAborted();
      // The length isn't known beforehand. Up to 5 MiB go as one PUT, more in parts, one part in memory at a time.
      const upload = new Upload({ client, queueSize: 1, params: { Bucket: bucket, Key: key, Body: body, ContentType: 'application/pdf' } });
      const abort = (): void => void upload.abort();
      signal.addEventListener('abort', abort, { once: true });
      try {
        const { Location } = await upload.done();
        return Location ?? key;
      } catch (cause) {
        throw new StorageUnavailable('the statement could not be stored; try again later', { cause });
      } finally {
        signal.removeEventListener('abort', abort);
        body.destroy();
      }
    },
    close: () => client.destroy(),
  };
}

/** Secrets are files, read anew for each upload: a key that was changed counts from the next call on. */
async function readCredentials(settings: StoreSettings): Promise<{ accessKeyId: string; secretAccessKey: string; expiration: Date }> {
  const accessKeyId = await readSecret(settings.secretsDir, 's3-access-key') ?? settings.accessKeyId;
  const secretAccessKey = await readSecret(settings.secretsDir, 's3-secret-key') ?? settings.secretAccessKey;
  if (!accessKeyId || !secretAccessKey) {
    throw new Error('no S3 credentials: create the secrets s3-access-key and s3-secret-key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  }
  return { accessKeyId, secretAccessKey, expiration: new Date() };
}

/** @returns undefined when there is no such secret */
async function readSecret(dir: string, name: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(dir, name), 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
