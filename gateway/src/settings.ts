/** The gateway's settings, under OpenFaaS's names where OpenFaaS has one. */
import { duration, flag, httpUrl, integer, list } from '@postern/settings';
import { z } from 'zod';

export const gatewaySettings = z.object({
  HOST: z.string().default('127.0.0.1').describe('Address to listen on. Anything but loopback turns basic_auth on.'),
  PORT: integer(8080, 0, 65_535).describe('Port to listen on; 0 picks a free one.'),
  DATA_DIR: z.string().default('.postern').describe('Folder for everything that must survive a restart.'),
  NATS_URL: z.string().optional().describe('NATS server, nats://host:4222. Unset: the embedded queue.'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], { error: 'trace, debug, info, warn, error, fatal or silent' })
    .default('info').describe('Least serious line that is logged.'),
  read_timeout: duration('60s').describe('Longest time to receive a whole request; 0 means no limit.'),
  write_timeout: duration('60s').describe('Longest wait for a caller to read what is ready for it; 0 means no limit.'),
  shutdown_timeout: duration('60s').describe('Longest wait, when the gateway stops, for requests that are running.'),
  upstream_timeout: duration('60s').describe('Longest wait for a function to begin its answer, and between two pieces of it; includes the wait for a replica that is starting. 0 means no limit.'),
  max_body_bytes: integer(1_000_000, 1).describe('Largest body an asynchronous call may have.'),
  function_namespace: z.string().default('openfaas-fn').describe('Namespace of functions that name none.'),
  functions_provider_url: httpUrl().optional().describe('URL of the provider. Unset, for postern up alone: functions run as local processes.'),
  basic_auth: flag(false).describe('Ask for user and password on /system. Always on when HOST is not loopback.'),
  secret_mount_path: z.string().optional().describe('Folder with the files basic-auth-user and basic-auth-password. Unset: made in DATA_DIR/auth.'),
  callback_allow: list('').describe('Private addresses, CIDRs or host names that callbacks may go to; * for all. Default: loopback while HOST is loopback, else nothing.'),
});

export type GatewaySettings = z.output<typeof gatewaySettings>;
