/** The log of every program: pino, one line of JSON an event on stderr; pretty on a terminal. */
import { type Logger, destination, pino } from 'pino';
import pretty from 'pino-pretty';

export function createLog(level: string, program: string): Logger {
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname,program', colorize: process.env['NO_COLOR'] === undefined })
    : destination({ fd: 2, sync: false });
  return pino({ level, base: { program }, timestamp: () => `,"time":"${new Date().toISOString()}"` }, stream);
}
