export { HASH_LENGTH, emptyRoot, leafHash, nodeHash, rootOfLeaves } from './hashing.ts';
export {
  MAX_SIZE,
  appendLeaf,
  memoryStore,
  rootAt,
  type HashReader,
  type LeafRange,
  type MemoryStore,
  type StoredHash,
} from './store.ts';
export {
  consistencyRanges,
  inclusionRanges,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
  type Proof,
} from './proof.ts';
export {
  MAX_NOTE_LENGTH,
  MAX_NOTE_SIGNATURES,
  noteKey,
  openNote,
  parseNote,
  parseVerifierKey,
  printVerifierKey,
  seedSigner,
  signNote,
  type NoteKey,
  type NoteSignature,
  type NoteSigner,
  type OpenedNote,
  type ParsedNote,
} from './note.ts';
export {
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  type Checkpoint,
  type OpenedCheckpoint,
} from './checkpoint.ts';
export { verifyGrowth, type Pin } from './growth.ts';
export {
  MAX_EXTRA_LENGTH,
  parseProofBundle,
  printProofBundle,
  verifyProofBundle,
  type ProofBundle,
  type ProvenEntry,
} from './bundle.ts';
export {
  MAX_ENTRY_LENGTH,
  TILE_WIDTH,
  parseEntryBundle,
  parseTilePath,
  printEntryBundle,
  printTilePath,
  readTile,
  tileAt,
  tileReader,
  tilesForRanges,
  type Tile,
} from './tiles.ts';
export {
  MAX_RECORD_LENGTH,
  entryKinds,
  isEntryOf,
  openField,
  readEntry,
  sealEntry,
  verifyOpening,
  type EntryFields,
  type EntryKind,
  type FieldValue,
  type LogEntry,
  type Opening,
} from './entry.ts';
