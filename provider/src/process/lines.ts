/** Chunks of text into lines. A line beyond the limit is cut into several, so that no function can fill the memory. */

const maxLineLength = 65_536;

export class LineSplitter {
  #rest = '';

  /** @returns the lines that are complete now, without their ends */
  push(chunk: string): string[] {
    const parts = (this.#rest + chunk).split('\n');
    this.#rest = parts.pop() ?? '';
    const lines = parts.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)).flatMap(cut);
    while (this.#rest.length > maxLineLength) {
      lines.push(this.#rest.slice(0, maxLineLength));
      this.#rest = this.#rest.slice(maxLineLength);
    }
    return lines;
  }

  /** @returns what came without an end of line */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}

function cut(line: string): string[] {
  if (line.length <= maxLineLength) return [line];
  return Array.from({ length: Math.ceil(line.length / maxLineLength) }, (_, i) => line.slice(i * maxLineLength, (i + 1) * maxLineLength));
}
