import type { Terminal } from '../terminal/terminal.ts';

/** Shows a long calculation in tenths, each once. @returns what is told the part done, from 0 to 1 */
export const tenths = (terminal: Terminal, text: string): ((done: number) => void) => {
  let shown = -1;
  return (done) => {
    const step = Math.min(10, Math.floor(done * 10));
    if (step <= shown) return;
    shown = step;
    terminal.progress({ step, of: 10, text });
  };
};
