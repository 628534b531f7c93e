/** `npm run docs:settings`: writes docs/settings.md from the programs' schemas, so that the page cannot drift. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gatewaySettings } from '@postern/gateway';
import { providerSettings } from '@postern/provider';
import { queueWorkerProgramSettings, queueWorkerSettings } from '@postern/queue-worker';
import { upSettings } from 'postern/up-settings';
import { z } from 'zod';

export const settingsPageFile = fileURLToPath(new URL('../../../docs/settings.md', import.meta.url));

const programs: readonly (readonly [title: string, note: string, schema: z.ZodObject])[] = [
  ['`postern up`', 'Everything in one process.', z.object({ ...queueWorkerSettings.shape, ...upSettings.shape })],
  ['`postern gateway`', '`NATS_URL` and `functions_provider_url` must be set.', gatewaySettings],
  ['`postern queue-worker`', 'Any number of them.', queueWorkerProgramSettings],
  ['`postern provider`', 'Functions as local processes, for gateways elsewhere.', providerSettings],
];

export function settingsPage(): string {
  const sections = programs.map(([title, note, schema]) => `## ${title}\n\n${note}\n\n${table(schema)}`);
  return `# Settings

You want to change how a program behaves. Settings are environment variables, read once at start. Durations are written
\`30s\`, \`2m\`, \`1h30m\` or as plain seconds. A wrong value stops the program with one line that names the variable, the
value and what was expected. This page is written from the code by \`npm run docs:settings\`.

${sections.join('\n\n')}
`;
}

function table(schema: z.ZodObject): string {
  // JSON Schema of the input side keeps defaults as they are written in the environment.
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const rows = Object.entries(properties).map(([name, property]) => {
    if (typeof property === 'boolean') throw new Error(`${name} has no schema`);
    const fallback = property.default === undefined || property.default === '' ? '' : `\`${JSON.stringify(property.default).replaceAll('"', '')}\``;
    if (property.description === undefined) throw new Error(`${name} has no description`);
    return `| \`${name}\` | ${fallback} | ${property.description} |`;
  });
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(settingsPageFile, settingsPage());
