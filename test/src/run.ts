/**
 * `npm test`: lint, then every test of every part, then one line of figures. Brings what tests need first, and stops with
 * its name when it cannot be had. Arguments narrow the run to test files whose path holds one of them.
 * The build, which is the type check, has run by then (package.json).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from '@postern/queue/testing/nats-server';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** A hanging test fails here, with its name, and not in a runner's own limit. */
const fileTimeoutMs = 5 * 60_000;

async function main(): Promise<number> {
  const lint = spawnSync('npx', ['oxlint', '--type-aware', '--deny-warnings'], { cwd: root, stdio: 'inherit' });
  if (lint.status !== 0) {
    console.error('lint failed: see above (npm run lint repeats it)');
    return 1;
  }
  process.env['NATS_SERVER'] = await findNatsServer();

  const wanted = process.argv.slice(2);
  const files = testFiles().filter((file) => wanted.length === 0 || wanted.some((part) => relative(root, file).includes(part)));
  if (files.length === 0) {
    console.error(`no test file matches ${wanted.join(' ')}`);
    return 1;
  }
  return await runFiles(files);
}

/** Compiled tests of every workspace: `dist/**` + `/*.test.js`. */
function testFiles(): string[] {
  // Our own package.json, whose shape the repository fixes.
  const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
  const folders = workspaces.flatMap((pattern) => pattern.endsWith('/*')
    ? readdirSync(join(root, pattern.slice(0, -2))).map((name) => pattern.slice(0, -1) + name)
    : [pattern]);
  return folders.map((folder) => join(root, folder, 'dist')).filter(existsSync)
    .flatMap((dist) => readdirSync(dist, { recursive: true, encoding: 'utf8' }).map((file) => join(dist, file)))
    .filter((file) => file.endsWith('.test.js')).sort();
}

async function runFiles(files: string[]): Promise<number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const skips: string[] = [];
  const events = run({ files, concurrency: availableParallelism(), timeout: fileTimeoutMs });
  events.on('test:pass', ({ name, file, details, skip }) => {
    if (details.type === 'suite') return;
    if (name === file) {
      // What the runner says of a file that holds no test.
      counts.failed++;
      failures.push(`failed: ${relative(root, name)} holds no test`);
    } else if (skip === undefined || skip === false) counts.passed++;
    else {
      counts.skipped++;
      skips.push(`skipped: ${name}: ${skip === true || skip === '' ? 'no reason given' : skip}`);
    }
  });
  events.on('test:fail', ({ name, file, details }) => {
    if (details.type === 'suite') return;
    counts.failed++;
    failures.push(`failed: ${name}${file === undefined ? '' : ` (${relative(root, file)})`}`);
  });
  const report = events.pipe(new spec());
  report.pipe(process.stdout);
  await new Promise((resolve, reject) => { report.once('end', resolve).once('error', reject); });

  console.log([...skips, ...failures].join('\n'));
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 1;
});
