import { KeepsetError } from '@keepset/bytes';
import type { Paper } from '@keepset/places';
import { textOption, type OptionSpec, type OptionValues } from '../../command.ts';

/** The option of every command that prints. */
export const paperOption: Readonly<Record<string, OptionSpec>> = {
  paper: { type: 'string', value: 'SIZE', help: 'A4 (default) or Letter' },
};

/** @throws KeepsetError `input/invalid-argument` */
export const readPaper = (options: OptionValues): Paper => {
  const name = textOption(options, 'paper') ?? 'A4';
  const paper = (['A4', 'Letter'] as const).find((size) => size.toLowerCase() === name.toLowerCase());
  if (paper === undefined)
    throw new KeepsetError('input/invalid-argument', `There is no paper ${name}.`, {
      hint: 'Use A4 or Letter.',
    });
  return paper;
};
