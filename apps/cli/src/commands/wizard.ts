import { analysisToJson, parseEvents, printSetup, proposalLines, propose, questions } from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { readJson } from '../policy/source.ts';
import { askLetter } from '../terminal/choice.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const wizard: Command = {
  name: 'wizard',
  summary: 'Propose a policy and where its shares go, from three questions',
  usage: '[--answers CBA] [--events FILE]',
  positionals: [0, 0],
  options: {
    answers: { type: 'string', value: 'ABC', help: 'The answers, one letter per question; asks otherwise' },
    events: {
      type: 'string',
      value: 'FILE',
      help: 'Events of your own, as under `events` of a setup (JSON)',
    },
  },
  examples: [
    'keepset wizard',
    'keepset wizard --answers CBA',
    'keepset wizard --answers CBA --json | jq .setup > my-setup.json',
  ],
  run: async ({ options, terminal }) => {
    const file = textOption(options, 'events');
    const events = file === undefined ? [] : parseEvents(await readJson(file));
    const proposal = propose(textOption(options, 'answers') ?? (await askAll(terminal)), { events });
    const { answers, floor, reached, missing, wouldReach, setup, analysis, needs } = proposal;
    terminal.result(
      {
        answers,
        floor,
        reached,
        missing,
        wouldReach,
        needs,
        policy: analysis.policy,
        setup: printSetup(setup),
        analysis: analysisToJson(analysis),
      },
      proposalLines(proposal),
    );
  },
};

const askAll = async (terminal: Terminal): Promise<string> => {
  if (!terminal.canAsk)
    throw new KeepsetError('input/invalid-argument', 'Nobody is there to answer the questions.', {
      hint: 'Give the answers: --answers CBA.',
    });
  let answers = '';
  for (const { text, answers: choices } of questions) answers += await askLetter(terminal, text, choices);
  return answers;
};
