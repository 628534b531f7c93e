/**
 * stack.yml to specifications: the file faas-cli reads, read as faas-cli does, and every mistake in it answered by one
 * line that says where it stands.
 * Not here: whether a driver can run the function (process/launch.ts).
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { findFaults, handlerAnnotation, langAnnotation } from '../function-rules.js';
import type { FunctionSpec } from '../provider.js';
import { describeIssue } from '../zod-issue.js';
import { didYouMean } from './did-you-mean.js';
import { BadSubstitution, substitute } from './envsubst.js';
import { type StackFunction, environmentFile, stackFunction, stackSchema } from './stack-schema.js';
import { type Path, StackError, YamlSource } from './yaml-source.js';

/**
 * Reads a stack.yml's functions, in the file's order. Handlers and environment files are looked for beside it; `lang`
 * and `handler` (absolute) become the annotations `postern.lang` and `postern.handler`.
 * @param env - what `${NAME}` in the file stands for
 * @throws {StackError}
 */
export async function readStack(file: string, env: NodeJS.ProcessEnv, defaultNamespace = 'openfaas-fn'): Promise<FunctionSpec[]> {
  const source = parseStack(file, await readText(file, file), env);
  const parsed = stackSchema.safeParse(withoutExtensions(source.value));
  if (!parsed.success) throw firstIssue(source, parsed.error.issues);
  const specs: FunctionSpec[] = [];
  for (const [name, fn] of Object.entries(parsed.data.functions)) {
    const path = ['functions', name];
    const spec = await toSpec(name, fn, { source, path, folder: dirname(resolve(file)), defaultNamespace });
    specs.push(checked(spec, source, path));
  }
  if (specs.length === 0) throw source.error(['functions'], 'no functions: expected at least one under "functions"');
  return specs;
}

interface Place {
  readonly source: YamlSource;
  readonly path: Path;
  readonly folder: string;
  readonly defaultNamespace: string;
}

function parseStack(file: string, original: string, env: NodeJS.ProcessEnv): YamlSource {
  try {
    const { text, originalOffset } = substitute(original, env);
    return new YamlSource(file, original, text, originalOffset);
  } catch (error) {
    if (error instanceof BadSubstitution) throw new YamlSource(file, original, '').errorAtOriginal(error.offset, error.message);
    throw error;
  }
}

/** Keys that start with `x-` hold what the user refers to elsewhere (YAML anchors), as in compose files. */
function withoutExtensions(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')));
}

async function toSpec(name: string, fn: StackFunction, place: Place): Promise<FunctionSpec> {
  const annotations = { ...fn.annotations };
  if (fn.lang !== undefined) annotations[langAnnotation] = fn.lang;
  if (fn.handler !== undefined) annotations[handlerAnnotation] = await existingHandler(fn.handler, place);
  return {
    name,
    namespace: fn.namespace ?? place.defaultNamespace,
    image: fn.image ?? '',
    envProcess: fn.fprocess ?? '',
    envVars: { ...fn.environment, ...await readEnvironmentFiles(fn.environment_file ?? [], place) },
    constraints: fn.constraints ?? [],
    secrets: fn.secrets ?? [],
    labels: fn.labels ?? {},
    annotations,
    limits: fn.limits ?? {},
    requests: fn.requests ?? {},
    readOnlyRootFilesystem: fn.readonly_root_filesystem ?? false,
  };
}

async function existingHandler(handler: string, { source, path, folder }: Place): Promise<string> {
  const absolute = resolve(folder, handler);
  const found = await stat(absolute).then(() => true, () => false);
  if (!found) throw source.error([...path, 'handler'], `${path.map(String).join('.')}.handler: ${handler} does not exist (looked for ${absolute})`);
  return absolute;
}

/** Later files win, as faas-cli has it; all of them win over `environment`. */
async function readEnvironmentFiles(files: readonly string[], { source, path, folder }: Place): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const [i, name] of files.entries()) {
    let text: string;
    try {
      text = await readText(resolve(folder, name), name);
    } catch (error) {
      if (error instanceof StackError) throw source.error([...path, 'environment_file', i], `${path.map(String).join('.')}.environment_file: ${error.message}`);
      throw error;
    }
    const file = new YamlSource(name, text);
    const parsed = environmentFile.safeParse(file.value);
    if (!parsed.success) throw firstIssue(file, parsed.error.issues);
    Object.assign(all, parsed.data.environment);
  }
  return all;
}

async function readText(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    throw new StackError(code === 'ENOENT' ? `${shown}: no such file` : `${shown}: cannot be read (${String(code ?? error)})`, { cause: error });
  }
}

/** Where a specification's field stands in the file. */
const yamlNames: Partial<Record<keyof FunctionSpec, string>> = { envVars: 'environment', envProcess: 'fprocess', readOnlyRootFilesystem: 'readonly_root_filesystem' };

function checked(spec: FunctionSpec, source: YamlSource, path: Path): FunctionSpec {
  const [fault] = findFaults(spec);
  if (!fault) return spec;
  const shown = path.map(String).join('.');
  if (fault.field === 'name') throw source.error(path, fault.message, 'key');
  if (fault.field === 'image') throw source.error(path, `${shown}: ${fault.message}`, 'key');
  const field = yamlNames[fault.field] ?? fault.field;
  const index = fault.field === 'secrets' ? spec.secrets.indexOf(fault.key ?? '') : fault.key;
  const place = [...path, field, ...(index === undefined ? [] : [index])];
  throw source.error(place, `${shown}.${field}${fault.key === undefined || fault.field === 'secrets' ? '' : `.${fault.key}`}: ${fault.message}`);
}

const keysAt = (path: Path): readonly string[] => {
  if (path.length === 0) return Object.keys(stackSchema.shape);
  if (path[0] === 'provider') return Object.keys(stackSchema.shape.provider.shape);
  return path.length === 2 ? Object.keys(stackFunction.shape) : ['memory', 'cpu'];
};

function firstIssue(source: YamlSource, issues: readonly z.core.$ZodIssue[]): StackError {
  // An unknown key explains why the right one is missing, so it is told first.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  if (!issue) return source.errorAt(0, 'not a stack file');
  const prefix = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const meant = didYouMean(key, keysAt(issue.path));
    return source.error([...issue.path, key], `${prefix}unknown key "${key}"${meant === undefined ? '' : ` (did you mean "${meant}"?)`}`, 'key');
  }
  if (issue.code === 'invalid_union') {
    const expected = issue.errors.flat().find((each) => each.code === 'invalid_type' || each.path.length > 0);
    if (expected) {
      const path = [...issue.path, ...expected.path];
      return source.error(path, `${path.map(String).join('.')}: ${describeIssue({ ...expected, path }, source.value)}`);
    }
  }
  if (issue.path.length === 0) return source.errorAt(0, 'expected a mapping with "provider" and "functions"');
  return source.error(issue.path, `${prefix}${describeIssue(issue, source.value)}`);
}

