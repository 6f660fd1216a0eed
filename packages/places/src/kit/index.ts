export { assembleChunks, encodeChunks, type Assembled, type ScanProgress } from './chunks.ts';
export {
  renderCodeSheet,
  renderShareSheets,
  type CodeSheet,
  type KitFacts,
  type Paper,
  type ShareSheet,
} from './pdf.ts';
export { scanCodes, type Picture } from './scan.ts';
export { checkTypedCode, type CodeVerdict } from './typos.ts';
