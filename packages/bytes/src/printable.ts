/**
 * Characters that can act on a terminal, reorder or hide their neighbours, or are not seen: controls, format and
 * bidirectional characters, private, unassigned and unpaired ones, blanks other than the space, ignorable ones;
 * combining marks at the start or in heaps; and the start of something that looks like our own escape.
 */
const unsafe =
  /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|^\p{M}+|(?<=\p{M}{3})\p{M}+|\\(?=u\{)/gu;

/**
 * Text that is safe to show on one line of a terminal or page, whoever wrote it. What could deceive or act
 * appears as `\u{hex}`. Letters that merely look alike (Cyrillic а, Latin a) stay as they are.
 */
export const printable = (text: string): string =>
  text.replaceAll(unsafe, (found) =>
    Array.from(found, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`).join(''),
  );

/** The same for text of several lines: line ends stay. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');
