import { KeepsetError } from '@keepset/bytes';

/**
 * Reads a derivation path such as `m/0/5` or `0/5`.
 * @throws KeepsetError `input/invalid-argument`, also for hardened steps, which need the whole private key.
 */
export const readPath = (text: string | undefined): readonly number[] => {
  const steps = (text ?? 'm')
    .replace(/^m\/?/, '')
    .split('/')
    .filter((step) => step !== '');
  return steps.map((step) => {
    if (/['hH]$/.test(step))
      throw new KeepsetError(
        'input/invalid-argument',
        `${step} is a hardened step, which no party alone or together can take.`,
        {
          hint: 'Use steps below 2147483648 without a mark, such as m/0/5.',
        },
      );
    const index = Number(step);
    if (!/^\d{1,10}$/.test(step) || index >= 2 ** 31)
      throw new KeepsetError('input/invalid-argument', `${step} is no step of a derivation path.`);
    return index;
  });
};
