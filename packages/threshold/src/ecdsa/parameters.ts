/** Parameters of the ECDSA protocols. spec/ecdsa.md says where each comes from. */

/** λc: computational security in bits; also the number of base OTs and the width of the extension's rows. */
export const securityBits = 128;

/** Seeds of λc bits. */
export const seedBytes = 16;

/** k: depth of the punctured trees of SoftSpokenOT. Each tree serves k base OTs. */
export const treeDepth = 2;
export const treeCount: number = securityBits / treeDepth;
export const leavesPerTree: number = 1 << treeDepth;

/** ξ = κ + 2λs with κ = 256 and λs = 80: OTs behind one multiplication. */
export const multiplicationOts = 416;

/** ℓ: values multiplied at once, the nonce share and the key share. */
export const vectorLength = 2;

/**
 * ρ: check values per OT.
 * @deviation Protocol 5.2 prints ⌈κ/λc⌉ = 2. The bound of Claim 6.7 is Q/q^ρ, which is below Q·2^-λc at ρ = 1;
 * §3.5 and §8.2 count the bandwidth of ρ = 1.
 */
export const checkLength = 1;

/** σ: bits of the extension's consistency check, λc because Fiat–Shamir replaces its round (§5.1). */
export const checkBits = 128;
