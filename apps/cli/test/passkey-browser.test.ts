/** What the terminal says of the passkey page, where the command opens no browser. */
import { expect, it } from 'vitest';
import { silentTerminal } from '../../../tests/support/device.ts';
import { withBrowser } from '../src/passkey/browser.ts';

it.each([
  { what: 'nobody is at the terminal', canAsk: false, options: {} },
  { what: 'told to open none', canAsk: true, options: { 'no-browser': true } },
])('no address has the code in it: $what', async ({ canAsk, options }) => {
  const notes: string[] = [];
  const terminal = { ...silentTerminal, canAsk, note: (text: string) => notes.push(text) };
  const status = await withBrowser(options, terminal, { title: 't', steps: [] }, async () => {
    const said = notes.join('\n');
    const [, page = ''] = /(http:\/\/\S+)$/m.exec(said) ?? [];
    const [, code = ''] = /type this code there: {2}([a-z2-7]{4}-[a-z2-7]{4})$/m.exec(said) ?? [];
    expect(new URL(page).href).toBe(`http://localhost:${new URL(page).port}/`);
    // It is the code of the page: another one is refused.
    const ask = (bearer: string) =>
      fetch(`${page}answer/0`, {
        method: 'POST',
        headers: { origin: page.slice(0, -1), authorization: `Bearer ${bearer}` },
      });
    return [(await ask('a'.repeat(8))).status, (await ask(code.replace('-', ''))).status];
  });
  expect(status).toEqual([401, 409]);
});
