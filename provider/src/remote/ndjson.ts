/** Lines out of a stream of bytes that breaks anywhere, in the midst of a character too. */

/** No status of a function and no log line comes near this. */
const maxLineChars = 8 * 1024 * 1024;

/**
 * @returns each line without its end, blank ones included; a last one that lacks its end is not a line
 * @throws when a line is longer than any the protocol has
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let rest = '';
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n');
    lines[0] = rest + (lines[0] ?? '');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineChars) throw new Error(`a line of more than ${maxLineChars} characters`);
    yield* lines;
  }
}
