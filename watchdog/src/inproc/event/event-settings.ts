/**
 * How OpenFaaS's Node templates are told to read bodies: `RAW_BODY`, `MAX_RAW_SIZE`, `MAX_JSON_SIZE`.
 */
import { maxBufferedBytes } from '../../body.js';
import { SettingsError } from '../../settings.js';

export interface BodySettings {
  /** Every body is a Buffer, whatever its type. */
  readonly raw: boolean;
  /** Bytes; of JSON bodies. */
  readonly maxJsonBytes: number;
  /** Bytes; of every other body. */
  readonly maxRawBytes: number;
}

/** @throws {SettingsError} */
export function readBodySettings(environment: NodeJS.ProcessEnv): BodySettings {
  return {
    raw: flag(environment, 'RAW_BODY'),
    maxJsonBytes: size(environment, 'MAX_JSON_SIZE'),
    maxRawBytes: size(environment, 'MAX_RAW_SIZE'),
  };
}

function flag(environment: NodeJS.ProcessEnv, name: string): boolean {
  const text = environment[name]?.trim() ?? '';
  if (text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw new SettingsError(`${name}=${text}: expected true or false`);
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };

function size(environment: NodeJS.ProcessEnv, name: string): number {
  const text = environment[name]?.trim() ?? '';
  if (text === '') return maxBufferedBytes;
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?$/i.exec(text) ?? [];
  if (number === undefined) throw new SettingsError(`${name}=${text}: expected a size such as 100kb, 5mb or plain bytes`);
  return Math.floor(Number(number) * (unitBytes[(unit ?? '').toLowerCase()] ?? 1));
}
