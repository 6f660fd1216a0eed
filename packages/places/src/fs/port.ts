/**
 * The few file operations places need, so that tests can fail each of them. Implementations throw KeepsetError with
 * the common codes of the place port, and `place/not-found` where a file that must exist does not.
 */

/** A file open for writing. */
export interface OpenFile {
  /** Appends all bytes or throws. What was written when it throws is unknown. */
  write(bytes: Uint8Array): Promise<void>;
  /** Returns when content and length are on the medium (on Apple with F_FULLFSYNC). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What a name in a folder is, without following links. */
export type FileKind = 'file' | 'folder' | 'other';

/** A name's facts. */
export interface FileFacts {
  readonly kind: FileKind;
  readonly size: number;
  /** Permission bits; 0 where the file system has none. */
  readonly mode: number;
}

/** The operations. Paths are absolute. */
export interface FileSystem {
  /** Facts of the name itself (a link is `other`), or null if there is none. */
  facts(path: string): Promise<FileFacts | null>;
  /** Makes one folder, mode 0700. @throws `place/exists` */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder. @throws `place/unreachable` if the folder is missing */
  names(folder: string): Promise<readonly string[]>;
  /**
   * Reads a regular file, without following a link.
   * @throws `place/not-found`, `place/foreign` (not a regular file), `wire/too-large` (longer than `maxBytes`)
   */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
  /** Makes a file, mode 0600. @throws `place/exists` */
  create(path: string): Promise<OpenFile>;
  /** Opens an existing regular file and empties it. @throws `place/not-found`, `place/foreign` */
  truncate(path: string): Promise<OpenFile>;
  /** Renames within a folder, replacing what is there, atomically where the file system can. @throws `place/not-found` */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. @throws `place/not-found` */
  remove(path: string): Promise<void>;
  /** Returns when the folder's entries are on the medium. Does nothing where the system has no such call. */
  syncFolder(folder: string): Promise<void>;
}
