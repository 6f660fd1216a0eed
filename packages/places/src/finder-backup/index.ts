export {
  readFinderBackup,
  type BackupContent,
  type BackupOptions,
  type BackupShare,
  type BackupTrace,
} from './backup.ts';
export { lookAtFinderBackup } from './look.ts';
export type { OnProgress } from './keybag.ts';
