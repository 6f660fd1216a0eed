/**
 * Command transcripts: text files that say what is typed and what comes out.
 *
 *     # a remark
 *     exec keepset keys            runs a command that must succeed
 *     fails 2 exec keepset x       runs a command that must end with this exit code
 *     stdin some text              standard input of the next command, with a line end
 *     stdout 'pattern'             the last command's output must match the regular expression (also stderr)
 *     no stderr 'pattern'          must not match; the pattern `.` means that there is nothing at all
 *     json error.code place/full   the output is one JSON object that has this value at this path
 *     flip FILE AT                 inverts one byte of a file, counted from the end when negative
 *     write FILE TEXT, copy A B, remove FILE
 *
 * `$NAME` stands for a variable the test gives. Words are split at blanks; single quotes keep blanks.
 */
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'vitest';
import { keepset, onlyObject, type Ended } from './processes.ts';

/** What the transcript's variables stand for. */
export type Variables = Readonly<Record<string, string>>;

interface Session {
  readonly variables: Variables;
  readonly folder: string;
  stdin: string | undefined;
  last: Ended | undefined;
}

/** Runs a transcript in `folder`. The first line that does not hold fails the test and is named. */
export const runTranscript = async (text: string, folder: string, variables: Variables): Promise<void> => {
  const session: Session = { variables, folder, stdin: undefined, last: undefined };
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    try {
      await runLine(session, line);
    } catch (error) {
      const { stdout = '', stderr = '' } = session.last ?? {};
      throw new Error(`line ${at + 1}: ${line}\n${String(error)}\n${stdout}${stderr}`, { cause: error });
    }
  }
};

const runLine = async (session: Session, line: string): Promise<void> => {
  const [verb, ...words] = wordsOf(line, session.variables);
  const operation = operations[verb ?? ''];
  if (operation === undefined) throw new Error('there is no such operation');
  await operation(session, words);
};

const wordsOf = (line: string, variables: Variables): string[] =>
  (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) =>
    word.replaceAll(/'([^']*)'|\$([A-Z]+)/g, (_, quoted: string | undefined, name: string | undefined) => {
      if (name === undefined) return quoted ?? '';
      const value = variables[name];
      if (value === undefined) throw new Error(`nothing is known of $${name}`);
      return value;
    }),
  );

type Operation = (session: Session, words: readonly string[]) => void | Promise<void>;

const execute = async (session: Session, code: number, words: readonly string[]): Promise<void> => {
  const [command, ...args] = words;
  if (command !== 'keepset') throw new Error('only keepset can be executed');
  const { stdin } = session;
  session.stdin = undefined;
  session.last = await keepset(args, {
    cwd: session.folder,
    ...(stdin === undefined ? {} : { input: stdin }),
  });
  expect(session.last.code).toBe(code);
};

const look =
  (stream: 'stdout' | 'stderr', wanted: boolean): Operation =>
  ({ last }, [pattern = '']) => {
    const output = last?.[stream] ?? '';
    if (wanted) expect(output).toMatch(new RegExp(pattern, 'm'));
    else expect(output).not.toMatch(new RegExp(pattern, 'm'));
  };

const pathIn = ({ folder }: Session, name = ''): string => {
  // `*` at the start of a name: the one file that ends like this.
  if (!basename(name).startsWith('*')) return join(folder, name);
  const parent = join(folder, dirname(name));
  const [only, ...others] = readdirSync(parent).filter((file) => file.endsWith(basename(name).slice(1)));
  if (only === undefined || others.length > 0) throw new Error(`${name} is not one file`);
  return join(parent, only);
};

const operations: Readonly<Record<string, Operation>> = {
  exec: (session, words) => execute(session, 0, words),
  fails: (session, [code = '', exec, ...words]) => {
    if (exec !== 'exec') throw new Error('fails N exec …');
    return execute(session, Number(code), words);
  },
  stdin: (session, words) => {
    session.stdin = `${words.join(' ')}\n`;
  },
  stdout: look('stdout', true),
  stderr: look('stderr', true),
  no: (session, [stream, pattern = '']) => {
    if (stream !== 'stdout' && stream !== 'stderr') throw new Error('no stdout|stderr PATTERN');
    return look(stream, false)(session, [pattern]);
  },
  json: ({ last }, [path = '', ...words]) => {
    let value: unknown = onlyObject(last?.stdout ?? '');
    for (const name of path.split('.'))
      value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    expect(String(value)).toBe(words.join(' '));
  },
  flip: (session, [name, at = '0']) => {
    const path = pathIn(session, name);
    const bytes = readFileSync(path);
    const index = Number(at) < 0 ? bytes.length + Number(at) : Number(at);
    bytes[index] = ~(bytes[index] ?? 0) & 0xff;
    writeFileSync(path, bytes);
  },
  write: (session, [name, ...words]) => writeFileSync(pathIn(session, name), `${words.join(' ')}\n`),
  copy: (session, [from, to]) => copyFileSync(pathIn(session, from), pathIn(session, to)),
  remove: (session, [name]) => rmSync(pathIn(session, name)),
};
