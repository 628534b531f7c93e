/**
 * An S3 server for the demo and the tests, on 127.0.0.1: s3rver, which keeps objects as files. It knows the trailing checksums
 * of newer SDKs only as part of the body, so clients set `requestChecksumCalculation: 'WHEN_REQUIRED'`.
 */
import S3rver from 's3rver';

/** The one pair of keys it takes; reading is open to everybody. */
export const localS3Keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } as const;

export interface LocalS3Options {
  /** Holds the objects; what is there from before is served, too. */
  readonly dir: string;
  /** Created when missing. */
  readonly bucket: string;
  /** 0, the default, takes any free one. */
  readonly port?: number;
}

export interface LocalS3 {
  /** `http://127.0.0.1:port`; objects are at `endpoint/bucket/key`. */
  readonly endpoint: string;
  close(): Promise<void>;
}

export async function startLocalS3({ dir, bucket, port = 0 }: LocalS3Options): Promise<LocalS3> {
  const server = new S3rver({ address: '127.0.0.1', port, silent: true, directory: dir, configureBuckets: [{ name: bucket, configs: [] }] });
  const address = await server.run();
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    close: () => server.close(),
  };
}
