/** The settings of `postern-provider`, the program that runs functions for gateways elsewhere. */
import { flag, integer, list } from '@postern/settings';
import { z } from 'zod';

export const providerSettings = z.object({
  /** The address to listen on. */
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(8081, 0, 65_535),
  /** Where deployed functions and their logs are kept. */
  DATA_DIR: z.string().default('.postern'),
  /** A stack.yml whose functions are deployed at start; unset: only what was deployed before. */
  STACK_FILE: z.string().optional(),
  /** The namespace of a function that names none. */
  function_namespace: z.string().default('openfaas-fn'),
  /** Ask for the user and password in `secret_mount_path`. */
  basic_auth: flag(false),
  /** The folder of the files `basic-auth-user` and `basic-auth-password`. */
  secret_mount_path: z.string().default('/run/secrets/'),
  /** Without basic_auth: the names, besides HOST and the loopback ones, under which gateways reach this server. */
  allowed_hosts: list(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    error: 'one of trace, debug, info, warn, error, fatal, silent',
  }).default('info'),
});

export type ProviderSettings = z.output<typeof providerSettings>;
