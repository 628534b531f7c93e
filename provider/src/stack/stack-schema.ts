/**
 * The keys of a stack.yml and their shapes. Every scalar is text here, as written: YAML's guesses
 * (`on` as true, `1.0` as 1) would change what the user wrote, and OpenFaaS's values are texts throughout.
 * Not here: positions, files and paths (read-stack.ts), rules for values (function-rules.ts).
 */
import { z } from 'zod';

const text = z.string();
/** An empty value, `~` and `null` are YAML for "nothing". */
const nothing = z.literal(['', '~', 'null']);
const textMap = z.union([nothing.transform(() => ({})), z.record(z.string(), z.string())]);
const texts = z.union([nothing.transform(() => []), z.array(z.string())]);
const yes = ['true', 'yes', 'on'];
const flag = z.string().refine((word) => [...yes, 'false', 'no', 'off'].includes(word.toLowerCase()), 'expected true or false')
  .transform((word) => yes.includes(word.toLowerCase()));
const amounts = z.strictObject({ memory: text.optional(), cpu: text.optional() });

export const stackFunction = z.strictObject({
  lang: text.optional(),
  handler: text.optional(),
  image: text.optional(),
  fprocess: text.optional(),
  environment: textMap.optional(),
  environment_file: texts.optional(),
  secrets: texts.optional(),
  constraints: texts.optional(),
  labels: textMap.optional(),
  annotations: textMap.optional(),
  limits: amounts.optional(),
  requests: amounts.optional(),
  readonly_root_filesystem: flag.optional(),
  namespace: text.optional(),
  // What a build needs: accepted, and none of a running function's business.
  skip_build: flag.optional(),
  build_options: texts.optional(),
  build_args: textMap.optional(),
  build_secrets: textMap.optional(),
  platforms: text.optional(),
});
export type StackFunction = z.output<typeof stackFunction>;

export const stackSchema = z.strictObject({
  version: z.literal('1.0', 'expected 1.0, the only version there is').optional(),
  provider: z.strictObject({
    name: z.literal('openfaas', 'expected openfaas, the only provider there is'),
    gateway: text.optional(),
    network: text.optional(),
  }),
  functions: z.record(z.string(), stackFunction),
  configuration: z.looseObject({}).optional(),
});

export const environmentFile = z.object({ environment: textMap.optional() });
