/** Of all of Keepset's packages, which are released together. */
export const version: string = '0.1.0';
