/**
 * Every subject that vedette uses on a transport. A subject says only where bytes go; who may say what is decided by the
 * session inside.
 *
 * @module
 */

/** Where a member listens for frames. Ids have no dots (`idPattern`), so subjects of different members never collide. */
export const mailbox = (realm: string, member: string): string => `vedette.v1.${realm}.m.${member}`;
