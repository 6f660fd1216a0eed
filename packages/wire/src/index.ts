export * from './messages/index.ts';
export * from './share-file/index.ts';
export * from './identity/index.ts';
