export type { Keyring } from './port.ts';
export { keyringPlace } from './place.ts';
export { macKeychain, secretServiceKeyring } from './command.ts';
