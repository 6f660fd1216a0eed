import { KeepsetError } from '@keepset/bytes';

/** The three questions, each with its answers. Q1 sets a floor; Q2 and Q3 list what there is to meet it with. */
export const questions: readonly Question[] = [
  {
    id: 'Q1',
    text: 'How critical is this key?',
    answers: {
      A: 'Daily signing, low risk',
      B: 'Large transactions, medium risk',
      C: 'Vault key, high risk',
    },
  },
  {
    id: 'Q2',
    text: 'Do you have USB storage available?',
    answers: { A: 'No', B: 'Yes, one stick', C: 'Yes, two or more' },
  },
  {
    id: 'Q3',
    text: 'Which devices shall work together?',
    answers: { A: 'A single iPhone', B: 'iPhone and iPad', C: 'iPhone and commitment server' },
  },
];

export interface Question {
  readonly id: 'Q1' | 'Q2' | 'Q3';
  readonly text: string;
  readonly answers: Readonly<Record<Letter, string>>;
}

export type Letter = 'A' | 'B' | 'C';

/** One letter per question, such as `CBA`. */
export interface Answers {
  readonly criticality: Letter;
  readonly sticks: Letter;
  readonly devices: Letter;
}

/** @throws KeepsetError `input/invalid-argument` */
export const parseAnswers = (text: string): Answers => {
  const [criticality, sticks, devices, ...rest] = text.toUpperCase();
  if (!isLetter(criticality) || !isLetter(sticks) || !isLetter(devices) || rest.length > 0)
    throw new KeepsetError('input/invalid-argument', 'The answers are three letters, each A, B or C.', {
      hint: 'For example CBA: a vault key, one stick, a single iPhone.',
    });
  return { criticality, sticks, devices };
};

const isLetter = (value: string | undefined): value is Letter =>
  value === 'A' || value === 'B' || value === 'C';

export const printAnswers = ({ criticality, sticks, devices }: Answers): string =>
  criticality + sticks + devices;

/** All 27, from AAA to CCC. */
export const allAnswers: readonly Answers[] = (['A', 'B', 'C'] as const).flatMap((criticality) =>
  (['A', 'B', 'C'] as const).flatMap((sticks) =>
    (['A', 'B', 'C'] as const).map((devices) => ({ criticality, sticks, devices })),
  ),
);
