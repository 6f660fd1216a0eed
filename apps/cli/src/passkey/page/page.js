// Asks the browser what the keepset command wants to know from a passkey, and hands the answer back. It knows nothing
// of keys: what is asked and what becomes of it is the command's. Plain JavaScript, run by the browser as it is.
//
// When the command has ended, another program may listen at its port. So the page sees the end at once, asks nothing from
// then on, and seals each answer to the key that the command put into the page.

const part = (id) => document.getElementById(id);

const show = (section) => {
  for (const id of ['connect', 'ask', 'wait', 'end']) part(id).hidden = id !== section;
};

const lettersOf = (text) => text.toLowerCase().replaceAll(/[^a-z2-7]/g, '');

// It stays in the address, so that the page may be loaded again; it ends with the command.
let code = lettersOf(location.hash);

/** Aborted when the command has ended. */
const running = new AbortController();

const post = async (path, body) => {
  running.signal.throwIfAborted();
  return fetch(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${code}` },
    body,
    credentials: 'omit',
  });
};

/** One request is always open, and answered now and then; it breaks when the command ends. */
const watch = async () => {
  let isThere = true;
  while (isThere)
    isThere = await fetch('/gone', { method: 'POST', credentials: 'omit' }).then(
      ({ ok }) => ok,
      () => false,
    );
  running.abort();
  // A request that is under way says how it ended, or breaks as well.
  if (part('wait').hidden && part('end').hidden) gone();
};

/** Shows what the command says next. Its answer to each request is the next question, or the end. */
const follow = async (request) => {
  show('wait');
  let next;
  try {
    const response = await request;
    if (response.status === 401) return connect(code !== '');
    if (response.status === 409) return follow(post('/next'));
    if (!response.ok) throw new Error(`status ${response.status}`);
    next = await response.json();
  } catch {
    return gone();
  }
  if (next.end === 'done') return end('Done', 'You can close this page and go back to the terminal.');
  if (next.end !== undefined)
    return end('Stopped', 'The terminal says why, and what to do. You can close this page.');
  return running.signal.aborted ? gone() : ask(next);
};

const gone = () => end('The command is not waiting any more', 'See what it says in the terminal.');

const connect = (isWrong) => {
  part('wrong').hidden = !isWrong;
  part('code').ariaInvalid = String(isWrong);
  show('connect');
  part('code').focus();
};

part('connect-form').addEventListener('submit', (event) => {
  event.preventDefault();
  code = lettersOf(part('code').value);
  history.replaceState(null, '', `#${code}`);
  void follow(post('/next'));
});

const end = (title, text) => {
  part('end-title').textContent = title;
  part('end-text').textContent = text;
  show('end');
};

/** What the command asks now, and the name of the error that the browser answered last. */
let question;
let failed;

const ask = (next) => {
  question = next;
  failed = 'NotAllowedError';
  const { kind, title, text, step, steps } = next;
  part('title').textContent = title;
  part('text').textContent = text;
  part('step').textContent = steps === 1 ? '' : `Step ${step} of ${steps}`;
  part('use').textContent = kind === 'create' ? 'Make the passkey' : 'Use the passkey';
  settle('');
  show('ask');
  part('use').focus();
};

const settle = (problem) => {
  part('problem').textContent = problem;
  part('problem').hidden = problem === '';
  for (const button of ['use', 'stop']) part(button).disabled = false;
};

const use = async () => {
  for (const button of ['use', 'stop']) part(button).disabled = true;
  part('problem').hidden = true;
  let sealed;
  try {
    sealed = await seal(await answers[question.kind](revive(question.publicKey)), question.id);
  } catch (error) {
    // The page says it already.
    if (running.signal.aborted) return;
    if (error instanceof Error) failed = error.name;
    settle(`${problems[failed] ?? problems.NotAllowedError} Try again, or stop. (${failed})`);
    return;
  }
  await follow(post(`/answer/${question.id}`, sealed));
};

part('use').addEventListener('click', () => void use());
part('stop').addEventListener('click', () => void follow(post(`/refusal/${question.id}`, failed)));

const problems = {
  NotAllowedError: 'No passkey was used: it was declined, or there is none here that fits.',
  NotSupportedError: 'This browser or passkey cannot do this.',
  ConstraintError: 'This device has no passkeys that ask for a face, finger or PIN.',
};

/** What only the command that served this page opens, and only as the answer to this question. Wipes the answer. */
const seal = async (answer, id) => {
  const { subtle } = crypto;
  const curve = { name: 'ECDH', namedCurve: 'P-256' };
  const theirs = bytesOfText(document.documentElement.dataset.key);
  const own = await subtle.generateKey(curve, false, ['deriveBits']);
  const ownPublic = new Uint8Array(await subtle.exportKey('raw', own.publicKey));
  const to = { name: 'ECDH', public: await subtle.importKey('raw', theirs, curve, false, []) };
  const shared = new Uint8Array(await subtle.deriveBits(to, own.privateKey, 256));
  const secret = await subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
  shared.fill(0);
  const salt = Uint8Array.of(...ownPublic, ...theirs);
  const info = new TextEncoder().encode(`keepset/passkey-answer/v1/${id}`);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt, info };
  const key = await subtle.deriveKey(hkdf, secret, { name: 'AES-GCM', length: 256 }, false, ['encrypt']);
  const box = await subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, key, answer);
  answer.fill(0);
  return Uint8Array.of(...ownPublic, ...new Uint8Array(box));
};

/** What goes back: bytes only, so that the command can wipe them. */
const answers = {
  create: async (publicKey) => {
    const made = await credentials().create({ publicKey, signal: running.signal });
    const isEnabled = made.getClientExtensionResults().prf?.enabled === true;
    return Uint8Array.of(isEnabled ? 1 : 0, ...new Uint8Array(made.rawId));
  },
  get: async (publicKey) => {
    const used = await credentials().get({ publicKey, signal: running.signal });
    const { first, second } = used.getClientExtensionResults().prf?.results ?? {};
    const values = [bytesOf(first), bytesOf(second)];
    const answer = Uint8Array.from(values.flatMap((value) => [...value]));
    for (const value of values) value.fill(0);
    return answer;
  },
};

const credentials = () => {
  if (window.PublicKeyCredential === undefined || navigator.credentials === undefined)
    throw new DOMException('no passkeys', 'NotSupportedError');
  return navigator.credentials;
};

/** Some password managers give an array of numbers. */
const bytesOf = (value) => {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : Uint8Array.from(value ?? []);
};

/** Bytes come as `{ "bytes": "…" }`, in base64url. */
const revive = (value) => {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.bytes !== 'string')
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revive(inner)]));
  return bytesOfText(value.bytes);
};

const bytesOfText = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
    character.charCodeAt(0),
  );

// Another command may come to have the same port, and its address be opened here.
window.addEventListener('hashchange', () => location.reload());

void watch();
void (code === '' ? connect(false) : follow(post('/next')));
