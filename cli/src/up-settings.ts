/** The settings of `postern up`: the gateway's, and what only a program that runs everything needs. The worker's come on top. */
import { gatewaySettings } from '@postern/gateway';
import { queueWorkerProgramSettings } from '@postern/queue-worker';
import { z } from 'zod';

export const upSettings = gatewaySettings.extend({
  LOG_LEVEL: gatewaySettings.shape.LOG_LEVEL.unwrap().default('warn').describe('Least serious line that is logged; what people read is printed anyway.'),
  STACK_FILE: z.string().default('stack.yml').describe('The functions to deploy.'),
  ack_wait: queueWorkerProgramSettings.shape.ack_wait,
});

export type UpSettings = z.output<typeof upSettings>;
