/** The settings of `postern provider`, the program that runs functions for gateways elsewhere. */
import { flag, integer } from '@postern/settings';
import { z } from 'zod';

export const providerSettings = z.object({
  HOST: z.string().default('127.0.0.1').describe('Address to listen on. Anything but loopback needs basic_auth.'),
  PORT: integer(8081, 0, 65_535).describe('Port to listen on; 0 picks a free one.'),
  DATA_DIR: z.string().default('.postern').describe('Folder for deployed functions and their logs.'),
  STACK_FILE: z.string().optional().describe('A stack.yml whose functions are deployed at start. Unset: only what was deployed before.'),
  function_namespace: z.string().default('openfaas-fn').describe('Namespace of functions that name none.'),
  basic_auth: flag(false).describe('Ask for user and password.'),
  secret_mount_path: z.string().default('/run/secrets/').describe('Folder with the files basic-auth-user and basic-auth-password.'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    error: 'trace, debug, info, warn, error, fatal or silent',
  }).default('info').describe('Least serious line that is logged.'),
});

export type ProviderSettings = z.output<typeof providerSettings>;
