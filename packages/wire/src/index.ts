export * from './messages/index.ts';
export * from './share-file/index.ts';
export * from './vault-file/index.ts';
export * from './identity/index.ts';
export * from './group/index.ts';
