export { readFinderBackup, type BackupContent, type BackupOptions, type BackupShare } from './backup.ts';
export type { OnProgress } from './keybag.ts';
