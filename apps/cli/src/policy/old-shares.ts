/**
 * What new shares do to old ones, and what they do not.
 * @spec spec/life-of-a-key.md
 */
export const oldShareLines: readonly string[] = [
  'A single share of an older epoch is worth nothing beside the new ones. Those of a',
  'whole quorum of one old epoch still make the key: destroy the old copies you have.',
];
