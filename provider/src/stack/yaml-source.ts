/**
 * YAML that knows where each value stands, so that an error can say `stack.yml:12:5: …`.
 * Not here: what the values mean (stack-schema.ts).
 */
import { LineCounter, type Node, Pair, isAlias, isCollection, isMap, isPair, isScalar, parseDocument, visit } from 'yaml';

/** A file the user wrote is wrong. The message is one line that starts with file, line and column. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly code = 'bad_stack';
}

export type Path = readonly PropertyKey[];

export class YamlSource {
  readonly value: unknown;
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #root: Node | null;
  readonly #originalOffset: (offset: number) => number;

  /**
   * @param file - as it is to be named in errors
   * @param original - what the user wrote; `text` may differ from it by substitution
   * @throws {StackError} not YAML, or a key given twice
   */
  constructor(file: string, original: string, text = original, originalOffset: (offset: number) => number = (offset) => offset) {
    this.#file = file;
    this.#originalOffset = originalOffset;
    this.#lines.addNewLine(0);
    for (let at = original.indexOf('\n'); at !== -1; at = original.indexOf('\n', at + 1)) this.#lines.addNewLine(at + 1);
    const document = parseDocument(text, { schema: 'failsafe', merge: true, prettyErrors: false });
    this.#root = document.contents;
    const [error] = document.errors;
    if (error) throw this.errorAt(error.pos[0], error.code === 'DUPLICATE_KEY' ? 'this key stands here twice' : lowerFirst(error.message));
    visit(document, { Alias: (_, alias) => {
      if (!alias.resolve(document)) throw this.errorAt(alias.range?.[0] ?? 0, `no anchor &${alias.source} stands before this`);
    } });
    try {
      this.value = document.toJS();
    } catch (cause) {
      // Aliases that multiply without end.
      throw this.errorAt(0, lowerFirst(cause instanceof Error ? cause.message : String(cause)));
    }
  }

  /** @param path - of the value; the deepest part of it that exists is pointed at. `key`: at its key instead */
  error(path: Path, message: string, at: 'value' | 'key' = 'value'): StackError {
    return this.errorAt(this.#offset(path, at), message);
  }

  /** @param offset - in the parsed text */
  errorAt(offset: number, message: string): StackError {
    return this.errorAtOriginal(this.#originalOffset(offset), message);
  }

  /** @param offset - in what the user wrote */
  errorAtOriginal(offset: number, message: string): StackError {
    const { line, col } = this.#lines.linePos(offset);
    return new StackError(`${this.#file}:${line}:${col}: ${message.replaceAll('\n', ' ')}`);
  }

  #offset(path: Path, at: 'value' | 'key'): number {
    let node: unknown = this.#root;
    let offset = this.#root?.range?.[0] ?? 0;
    for (const [depth, part] of path.entries()) {
      if (isAlias(node)) break;
      if (!isCollection(node)) break;
      const item: unknown = isMap(node)
        ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(part))
        : node.items[Number(part)];
      if (item === undefined) break;
      const wantsKey = at === 'key' && depth === path.length - 1;
      node = isPair(item) && !wantsKey ? item.value : item instanceof Pair ? item.key : item;
      const range = nodeRange(node) ?? (item instanceof Pair ? nodeRange(item.key) : undefined);
      offset = range ?? offset;
    }
    return offset;
  }
}

function nodeRange(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const start: unknown = node.range[0];
  return typeof start === 'number' ? start : undefined;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
