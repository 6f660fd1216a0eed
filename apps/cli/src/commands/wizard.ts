import { analysisToJson, printSetup, proposalLines, propose, questions } from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { askLetter } from '../terminal/choice.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const wizard: Command = {
  name: 'wizard',
  summary: 'Propose a policy and where its shares go, from three questions',
  usage: '[--answers CBA]',
  positionals: [0, 0],
  options: {
    answers: { type: 'string', value: 'ABC', help: 'The answers, one letter per question; asks otherwise' },
  },
  examples: [
    'keepset wizard',
    'keepset wizard --answers CBA',
    'keepset wizard --answers CBA --json | jq .setup > my-setup.json',
  ],
  run: async ({ options, terminal }) => {
    const proposal = propose(textOption(options, 'answers') ?? (await askAll(terminal)));
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
