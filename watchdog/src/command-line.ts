/**
 * Splits `fprocess` into a program and its arguments, with a shell's quotes and without a shell:
 * '…' is literal; in "…" a backslash escapes \ " $ and `; elsewhere it escapes the next character. Nothing is expanded.
 */

/**
 * @returns the words; none for a blank line
 * @throws {SyntaxError} a quote that is never closed, or a backslash at the very end
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words: '' is a word that was written as two quotes
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (quote === undefined && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === undefined && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (char === quote) {
      quote = undefined;
    } else if (char === '\\' && (quote === undefined || (quote === '"' && /[\\"$`]/.test(line.charAt(at + 1))))) {
      at++;
      if (at === line.length) throw new SyntaxError('a character after the backslash at its end');
      word = (word ?? '') + line.charAt(at);
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined) throw new SyntaxError(`a closing ${quote}`);
  if (word !== undefined) words.push(word);
  return words;
}
