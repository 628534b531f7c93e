/**
 * `${NAME}` and its relatives, as faas-cli replaces them in the whole text of a stack.yml before reading it as YAML.
 *
 *   ${V}                     the variable; nothing when unset
 *   ${V:-d} ${V-d} ${V:=d} ${V=d} ${V:+d} ${V+d} ${V:?d}    d when V is unset or empty (all seven, as faas-cli has it)
 *   ${V^} ${V^^} ${V,} ${V,,}                      first letter or all to upper, to lower case
 *   ${#V}  ${V:offset}  ${V:offset:length}         counted in characters; negative: from the end
 *   ${V#p} ${V##p} ${V%p} ${V%%p}                  without the shortest, longest match of the pattern at its start, its end
 *   ${V/a/b} ${V//a/b} ${V/#a/b} ${V/%a/b}         a becomes b: the first, every, at the start, at the end; `\/` is a slash
 *   $V                       stays as it is;  $$ is one $, so that $${V} writes ${V}
 *
 * Words (d, p, a, b, offsets) may hold `${…}` themselves. Not here: YAML (read-stack.ts).
 */

export interface Substituted {
  readonly text: string;
  /** Where in the original a place of `text` came from, so that errors point at what the user wrote. */
  readonly originalOffset: (offset: number) => number;
}

/** A `${…}` that cannot be read. */
export class BadSubstitution extends Error {
  override readonly name = 'BadSubstitution';
  readonly code = 'bad_substitution';
  constructor(message: string, /** Where in the original it starts. */ readonly offset: number) {
    super(message);
  }
}

/** @throws {BadSubstitution} */
export function substitute(source: string, env: NodeJS.ProcessEnv): Substituted {
  const pieces: { readonly out: number; readonly source: number; readonly verbatim: boolean }[] = [];
  let text = '';
  let at = 0;
  const append = (piece: string, from: number, verbatim: boolean): void => {
    pieces.push({ out: text.length, source: from, verbatim });
    text += piece;
  };
  while (at < source.length) {
    const dollar = source.indexOf('$', at);
    if (dollar === -1) break;
    append(source.slice(at, dollar), at, true);
    if (source.startsWith('${', dollar)) {
      const reader = new Expression(source, dollar, env);
      append(reader.evaluate(), dollar, false);
      at = reader.end;
    } else {
      append('$', dollar, true);
      at = dollar + (source.startsWith('$$', dollar) ? 2 : 1);
    }
  }
  append(source.slice(at), at, true);
  return {
    text,
    originalOffset: (offset) => {
      const piece = pieces.findLast(({ out }) => out <= offset);
      return piece ? piece.source + (piece.verbatim ? offset - piece.out : 0) : 0;
    },
  };
}

/** One `${…}`, read from left to right and evaluated on the way. */
class Expression {
  /** Behind its closing brace, once evaluated. */
  end: number;
  readonly #source: string;
  readonly #start: number;
  readonly #env: NodeJS.ProcessEnv;

  constructor(source: string, start: number, env: NodeJS.ProcessEnv) {
    this.#source = source;
    this.#start = start;
    this.#env = env;
    this.end = start + 2;
  }

  evaluate(): string {
    const measured = this.#take(/#(?=[A-Za-z_0-9])/y) !== undefined;
    const name = this.#take(/[A-Za-z_0-9]+/y);
    if (name === undefined) throw this.#bad('expected a variable\'s name');
    const value = this.#env[name] ?? '';
    const result = measured ? String(Array.from(value).length) : this.#apply(value);
    if (this.#take(/\}/y) === undefined) throw this.#bad(this.end >= this.#source.length ? 'it is never closed' : 'expected "}"');
    return result;
  }

  #apply(value: string): string {
    const operator = this.#take(/:?[-=?+]|\^\^?|,,?|##?|%%?|\/[/#%]?|:/y);
    switch (operator) {
      case undefined: return value;
      case '^': return value.replace(/^./u, (first) => first.toUpperCase());
      case '^^': return value.toUpperCase();
      case ',': return value.replace(/^./u, (first) => first.toLowerCase());
      case ',,': return value.toLowerCase();
      case '#': case '##': return trimStart(value, this.#word('}'), operator === '##');
      case '%': case '%%': return trimEnd(value, this.#word('}'), operator === '%%');
      case ':': {
        const offset = this.#word(':}');
        const length = this.#take(/:/y) === undefined ? undefined : this.#word('}');
        return slice(value, offset, length);
      }
      case '/': case '//': case '/#': case '/%': {
        const pattern = this.#word('/}', true);
        const replacement = this.#take(/\//y) === undefined ? '' : this.#word('}', true);
        return replace(value, operator, pattern, replacement);
      }
      default: {
        const fallback = this.#word('}');
        return value === '' ? fallback : value;
      }
    }
  }

  /** Text up to one of the `stops`, with what it nests replaced. */
  #word(stops: string, escapes = false): string {
    let word = '';
    while (this.end < this.#source.length && !stops.includes(this.#source.charAt(this.end))) {
      if (this.#source.startsWith('${', this.end)) {
        const nested = new Expression(this.#source, this.end, this.#env);
        word += nested.evaluate();
        this.end = nested.end;
        continue;
      }
      if (escapes && (this.#source.startsWith('\\/', this.end) || this.#source.startsWith('\\\\', this.end))) this.end++;
      word += this.#source.charAt(this.end++);
    }
    return word;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.end;
    const match = pattern.exec(this.#source);
    if (!match) return undefined;
    this.end = pattern.lastIndex;
    return match[0];
  }

  #bad(why: string): BadSubstitution {
    const shown = this.#source.slice(this.#start, this.#start + 30).split('\n', 1)[0] ?? '';
    return new BadSubstitution(`bad substitution ${JSON.stringify(shown)}: ${why}`, this.#start);
  }
}

/** An offset or length that is no number leaves the value whole, as bash does. */
function slice(value: string, offsetText: string, lengthText: string | undefined): string {
  const number = /^\s*-?\d+\s*$/;
  if (!number.test(offsetText) || (lengthText !== undefined && !number.test(lengthText))) return value;
  const characters = Array.from(value);
  const offset = Number(offsetText);
  const from = offset < 0 ? Math.max(0, characters.length + offset) : offset;
  const length = lengthText === undefined ? Infinity : Number(lengthText);
  return characters.slice(from, length < 0 ? length : from + length).join('');
}

function replace(value: string, operator: '/' | '//' | '/#' | '/%', pattern: string, replacement: string): string {
  if (pattern === '') return value;
  switch (operator) {
    case '/': return value.replace(pattern, () => replacement);
    case '//': return value.replaceAll(pattern, () => replacement);
    case '/#': return value.startsWith(pattern) ? replacement + value.slice(pattern.length) : value;
    case '/%': return value.endsWith(pattern) ? value.slice(0, value.length - pattern.length) + replacement : value;
  }
}

function trimStart(value: string, pattern: string, longest: boolean): string {
  const length = matchingLength(pattern, longest, value.length, (size) => value.slice(0, size));
  return value.slice(length);
}

function trimEnd(value: string, pattern: string, longest: boolean): string {
  const length = matchingLength(pattern, longest, value.length, (size) => value.slice(value.length - size));
  return value.slice(0, value.length - length);
}

/** How much of an end of the value matches; 0 when none of it does. */
function matchingLength(pattern: string, longest: boolean, total: number, part: (size: number) => string): number {
  const matcher = globToRegExp(pattern);
  for (let i = 0; i <= total; i++) {
    const size = longest ? total - i : i;
    if (matcher.test(part(size))) return size;
  }
  return 0;
}

/** bash's patterns: `*` any text, slashes too; `?` one character; `[a-z]`, `[!a-z]` one of, none of; `\x` itself x. */
function globToRegExp(pattern: string): RegExp {
  const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const source = pattern.replace(/\\(.)|\[([!^]?)([^\]]+)\]|\*+|\?|[^\\[*?]+|[\\[]/gsu, (part: string, literal?: string, not?: string, set?: string) => {
    if (literal !== undefined) return escape(literal);
    // In a set only the hyphen keeps a meaning, for ranges.
    if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\^[\]&]/g, '\\$&')}]`;
    if (part.startsWith('*')) return '.*';
    return part === '?' ? '.' : escape(part);
  });
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    // A range from high to low: it can match nothing.
    return /(?!)/;
  }
}
