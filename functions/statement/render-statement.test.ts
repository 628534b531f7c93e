import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { linesOnFirstPage, linesOnLaterPages, renderStatement } from './render-statement.ts';
import { buildStatement } from './statement.ts';
import type { Statement } from './statement.ts';

const customer = { id: 7, name: 'Elif Yaman', street: '25 Linden Avenue', city: '3310 Westhaven', account: '4021 4602 3339' };

/** Entry n is named `Entry n`, n cents in. */
function statementOf(count: number, name = customer.name): Statement {
  const entries = Array.from({ length: count }, (_, index) => ({ date: '2026-10-31', text: `Entry ${index + 1}`, amountCents: index + 1 }));
  return buildStatement({ customer: { ...customer, name }, month: '2026-10', openingCents: 1_000_000, entries });
}

/** Each page's pieces of text, in the order they were drawn. */
async function readPages(pdf: Buffer): Promise<string[][]> {
  const document = await getDocument({ data: new Uint8Array(pdf), verbosity: 0, useSystemFonts: true }).promise;
  const pages: string[][] = [];
  for (let number = 1; number <= document.numPages; number += 1) {
    const { items } = await (await document.getPage(number)).getTextContent();
    pages.push(items.flatMap((item) => ('str' in item && item.str.trim() !== '' ? [item.str] : [])));
  }
  await document.destroy();
  return pages;
}

test('the statement says whose it is, of which month, and every entry with its balance', async () => {
  const [page, ...more] = await readPages(await buffer(renderStatement(statementOf(3)).pdf));
  assert.equal(more.length, 0);
  const text = (page ?? []).join('|');
  for (const expected of [
    'Postern Bank', 'Elif Yaman|25 Linden Avenue|3310 Westhaven', '4021 4602 3339', '1 to 31 October 2026 · all amounts in euros',
    'Opening balance|10,000.00', '31 Oct|Entry 1|+0.01|10,000.01', '31 Oct|Entry 3|+0.03|10,000.06', 'Closing balance|10,000.06', 'Page 1 of 1',
  ]) assert.ok(text.includes(expected), `"${expected}" is not in: ${text}`);
});

for (const [count, expectedPages] of [
  [0, 1], [linesOnFirstPage, 1], [linesOnFirstPage + 1, 2], [linesOnFirstPage + linesOnLaterPages, 2], [linesOnFirstPage + linesOnLaterPages + 1, 3],
] as const) {
  test(`${count} transactions make ${expectedPages} pages, counted right on each, and no entry is missing`, async () => {
    const { pdf, pages } = renderStatement(statementOf(count));
    const read = await readPages(await buffer(pdf));
    assert.equal(pages, expectedPages);
    assert.equal(read.length, expectedPages);
    read.forEach((page, index) => assert.ok(page.includes(`Page ${index + 1} of ${expectedPages}`)));
    const entries = read.flat().filter((text) => text.startsWith('Entry '));
    assert.deepEqual(entries, Array.from({ length: count }, (_, index) => `Entry ${index + 1}`));
  });
}

test('a name too long for its line ends in an ellipsis and takes no other room', async () => {
  const [page] = await readPages(await buffer(renderStatement(statementOf(1, 'Maximiliana '.repeat(40))).pdf));
  assert.ok(page?.some((text) => /^Maximiliana .*…$/.test(text)), page?.join('|'));
});

test('the same statement drawn twice is the same file, byte for byte', async () => {
  const [once, again] = await Promise.all([buffer(renderStatement(statementOf(60)).pdf), buffer(renderStatement(statementOf(60)).pdf)]);
  assert.ok(once.equals(again));
});
