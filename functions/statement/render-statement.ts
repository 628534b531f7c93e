/**
 * A statement as a PDF, A4. The number of pages is arithmetic (every line has one height), so "page 2 of 5" is known
 * before the first page is drawn and nothing is drawn twice.
 */
import { PassThrough, type Readable } from 'node:stream';
import PDFDocument from 'pdfkit';
import { drawBalanceChart } from './balance-chart.ts';
import { dailyBalances, daysIn, paginate } from './statement.ts';
import type { Line, Page, Statement } from './statement.ts';
import { colour, euros, longDate, monthName, printable, shortDate } from './style.ts';

export interface RenderedStatement {
  readonly pdf: Readable;
  readonly pages: number;
}

type Doc = PDFKit.PDFDocument;

/** All in points, from the page's upper left corner. */
const left = 56;
const right = 539;
const width = right - left;
const lineHeight = 18;
const firstTableTop = 440;
const laterTableTop = 92;
const tableBottom = 764;
/** Besides its lines a table has a head, an opening and a closing balance, and on the last page a line of totals. */
const besides = 4;
export const linesOnFirstPage = Math.floor((tableBottom - firstTableTop) / lineHeight) - besides;
export const linesOnLaterPages = Math.floor((tableBottom - laterTableTop) / lineHeight) - besides;

const columns = {
  date: { x: left + 8, width: 50, align: 'left' },
  text: { x: left + 62, width: 240, align: 'left' },
  amount: { x: left + 308, width: 78, align: 'right' },
  balance: { x: left + 392, width: 83, align: 'right' },
} as const;

/** The same statement gives the same bytes: its date is the month's last day, not the day it happens to be drawn. */
export function renderStatement(statement: Statement): RenderedStatement {
  const lastDay = `${statement.month}-${daysIn(statement.month)}`;
  const doc = new PDFDocument({
    size: 'A4', margin: 0, lang: 'en-GB', displayTitle: true,
    info: { Title: `Statement of account, ${monthName(statement.month)}`, Author: 'Postern Bank', CreationDate: new Date(`${lastDay}T00:00:00Z`) },
    autoFirstPage: false,
  });
  const pdf = doc.pipe(new PassThrough());
  const pages = paginate(statement, linesOnFirstPage, linesOnLaterPages);
  pages.forEach((page, index) => {
    doc.addPage();
    if (index === 0) drawFirstPageTop(doc, statement, lastDay);
    else drawLaterPageTop(doc, statement);
    const ends = { first: index === 0, last: index === pages.length - 1 };
    drawTable(doc, index === 0 ? firstTableTop : laterTableTop, page, statement, ends);
    drawFoot(doc, index + 1, pages.length);
  });
  doc.end();
  return { pdf, pages: pages.length };
}

function drawFirstPageTop(doc: Doc, statement: Statement, lastDay: string): void {
  const { customer, month } = statement;
  drawMark(doc, left, 40, 34);
  write(doc, 'Postern Bank', left + 44, 43, { font: 'Helvetica-Bold', size: 18, colour: colour.brand });
  write(doc, 'SAVINGS & CURRENT ACCOUNTS', left + 44, 64, { size: 6.5, colour: colour.muted, spacing: 1.1 });
  ['1 Gate Lane, 1000 Northgate', 'service@bank.example', 'bank.example'].forEach((line, index) => {
    write(doc, line, right - 200, 43 + index * 11, { size: 7.5, colour: colour.muted, width: 200, align: 'right' });
  });
  doc.moveTo(left, 88).lineTo(right, 88).lineWidth(1.2).stroke(colour.accent);

  // Where the window of an envelope shows it.
  write(doc, 'Postern Bank · 1 Gate Lane · 1000 Northgate', left, 126, { size: 6.5, colour: colour.muted });
  [customer.name, customer.street, customer.city].forEach((line, index) => {
    write(doc, line, left, 142 + index * 15, { size: 11, width: 250 });
  });
  const facts = [
    ['Account', customer.account], ['Customer number', String(customer.id).padStart(6, '0')],
    ['Statement', `${Number(month.slice(5))} / ${month.slice(0, 4)}`], ['Date', longDate(lastDay)],
  ] as const;
  facts.forEach(([label, value], index) => {
    const y = 126 + index * 17;
    write(doc, label, 352, y, { size: 8.5, colour: colour.muted });
    write(doc, value, 440, y, { size: 8.5, width: right - 440, align: 'right' });
    doc.moveTo(352, y + 12.5).lineTo(right, y + 12.5).lineWidth(0.5).stroke(colour.rule);
  });

  write(doc, 'Statement of account', left, 222, { font: 'Helvetica-Bold', size: 16, colour: colour.brand });
  write(doc, `1 to ${longDate(lastDay)} · all amounts in euros`, left, 243, { size: 9, colour: colour.muted });
  drawSummary(doc, 266, statement);
  write(doc, 'Balance at the end of each day', left, 328, { font: 'Helvetica-Bold', size: 8, colour: colour.muted });
  drawBalanceChart(doc, { x: left, y: 340, width, height: 84 }, dailyBalances(statement));
}

function drawSummary(doc: Doc, y: number, { openingCents, inCents, outCents, closingCents }: Statement): void {
  const cells = [['Opening balance', openingCents], ['Money in', inCents], ['Money out', outCents], ['Closing balance', closingCents]] as const;
  const cellWidth = width / cells.length;
  doc.roundedRect(left, y, width, 46, 3).fill(colour.tint);
  cells.forEach(([label, cents], index) => {
    const x = left + index * cellWidth;
    const isClosing = index === cells.length - 1;
    if (isClosing) doc.roundedRect(x, y, cellWidth, 46, 3).fill(colour.brand);
    write(doc, label, x + 12, y + 10, { size: 7.5, colour: isClosing ? colour.rule : colour.muted });
    write(doc, euros(cents), x + 12, y + 23, { font: 'Helvetica-Bold', size: 12.5, colour: isClosing ? 'white' : colour.text });
  });
}

function drawLaterPageTop(doc: Doc, { customer, month }: Statement): void {
  drawMark(doc, left, 40, 20);
  write(doc, 'Postern Bank', left + 28, 45, { font: 'Helvetica-Bold', size: 11, colour: colour.brand });
  write(doc, `${customer.name} · account ${customer.account} · ${monthName(month)}`, right - 340, 47,
    { size: 8, colour: colour.muted, width: 340, align: 'right' });
  doc.moveTo(left, 70).lineTo(right, 70).lineWidth(1.2).stroke(colour.accent);
}

/** The bank's mark: a small door in a wall, which is what a postern is. */
function drawMark(doc: Doc, x: number, y: number, size: number): void {
  const unit = size / 10;
  doc.roundedRect(x, y, size, size, unit).fill(colour.brand);
  const door = (inset: number): Doc => doc
    .moveTo(x + inset * unit, y + 8.6 * unit).lineTo(x + inset * unit, y + 5 * unit)
    .bezierCurveTo(x + inset * unit, y + (inset - 1.2) * unit, x + (10 - inset) * unit, y + (inset - 1.2) * unit, x + (10 - inset) * unit, y + 5 * unit)
    .lineTo(x + (10 - inset) * unit, y + 8.6 * unit).closePath();
  door(2.4).fill('white');
  door(3.4).fill(colour.accent);
}

function drawTable(doc: Doc, top: number, page: Page, statement: Statement, ends: { first: boolean; last: boolean }): void {
  let y = top;
  doc.rect(left, y, width, lineHeight).fill(colour.brand);
  const head = { font: 'Helvetica-Bold', size: 8, colour: 'white' } as const;
  write(doc, 'Date', columns.date.x, y + 5, head);
  write(doc, 'Details', columns.text.x, y + 5, head);
  write(doc, 'Amount', columns.amount.x, y + 5, { ...head, ...columns.amount });
  write(doc, 'Balance', columns.balance.x, y + 5, { ...head, ...columns.balance });
  y += lineHeight;

  drawBalance(doc, y, ends.first ? 'Opening balance' : 'Balance brought forward', page.openingCents);
  y += lineHeight;
  if (statement.lines.length === 0) {
    write(doc, 'No transactions this month', columns.text.x, y + 5, { size: 8.5, colour: colour.muted });
    y += lineHeight;
  }
  page.lines.forEach((line, index) => {
    if (index % 2 === 1) doc.rect(left, y, width, lineHeight).fill(colour.tint);
    drawLine(doc, y, line);
    y += lineHeight;
  });
  doc.moveTo(left, y).lineTo(right, y).lineWidth(0.8).stroke(colour.brand);
  if (ends.last) {
    const { inCents, outCents } = statement;
    write(doc, `Money in ${euros(inCents)} · money out ${euros(outCents)}`, columns.text.x, y + 5, { size: 8.5, colour: colour.muted, width: 324, align: 'right' });
    y += lineHeight;
  }
  drawBalance(doc, y, ends.last ? 'Closing balance' : 'Balance carried forward', page.closingCents);
}

function drawLine(doc: Doc, y: number, { date, text, amountCents, balanceCents }: Line): void {
  write(doc, shortDate(date), columns.date.x, y + 5, { size: 8.5, colour: colour.muted });
  write(doc, text, columns.text.x, y + 5, { size: 8.5, ...columns.text });
  const sign = amountCents > 0 ? '+' : '';
  write(doc, `${sign}${euros(amountCents)}`, columns.amount.x, y + 5,
    { size: 8.5, colour: amountCents > 0 ? colour.credit : colour.text, ...columns.amount });
  write(doc, euros(balanceCents), columns.balance.x, y + 5, { size: 8.5, ...columns.balance });
}

function drawBalance(doc: Doc, y: number, label: string, cents: number): void {
  const bold = { font: 'Helvetica-Bold', size: 8.5 } as const;
  write(doc, label, columns.text.x, y + 5, bold);
  write(doc, euros(cents), columns.balance.x, y + 5, { ...bold, ...columns.balance });
}

function drawFoot(doc: Doc, page: number, pages: number): void {
  doc.moveTo(left, 786).lineTo(right, 786).lineWidth(0.5).stroke(colour.rule);
  write(doc, 'Please check this statement and tell us within 30 days if something is wrong.', left, 794, { size: 7, colour: colour.muted });
  write(doc, 'Postern Bank is an invented bank; this is a sample, not a document of account.', left, 804, { size: 7, colour: colour.muted });
  write(doc, `Page ${page} of ${pages}`, right - 100, 794, { size: 7.5, colour: colour.muted, width: 100, align: 'right' });
}

interface Style {
  readonly font?: 'Helvetica' | 'Helvetica-Bold';
  readonly size: number;
  readonly colour?: string;
  /** Longer text ends in an ellipsis; absent: as long as it is. */
  readonly width?: number;
  readonly align?: 'left' | 'right';
  readonly spacing?: number;
}

/** One line of text; it never wraps, and never makes pdfkit start a page of its own. */
function write(doc: Doc, text: string, x: number, y: number, style: Style): void {
  doc.font(style.font ?? 'Helvetica').fontSize(style.size).fillColor(style.colour ?? colour.text);
  doc.text(fitted(doc, printable(text), style.width), x, y, {
    lineBreak: false, characterSpacing: style.spacing ?? 0, align: style.align ?? 'left',
    ...(style.width === undefined ? {} : { width: style.width }),
  });
}

function fitted(doc: Doc, text: string, width = Number.POSITIVE_INFINITY): string {
  if (doc.widthOfString(text) <= width) return text;
  let length = text.length;
  while (length > 0 && doc.widthOfString(`${text.slice(0, length)}…`) > width) length -= 1;
  return `${text.slice(0, length).trimEnd()}…`;
}
