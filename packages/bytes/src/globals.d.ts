/** Present in every runtime Keepset supports (Node, browsers, WKWebView), but in no TypeScript lib without DOM. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input: Uint8Array): string;
}
