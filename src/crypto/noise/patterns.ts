/**
 * The handshake patterns of the Noise Protocol Framework, revision 34: §7.4 (one-way), §7.5 (interactive), §18.1
 * (deferred), and the modifiers `psk0`, `psk1` … (§9) and `fallback` (§10.2).
 *
 * @module
 */
import { VedetteError } from '../../errors.ts';

export type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk';

export interface HandshakePattern {
  /** Public keys the responder knows of the initiator beforehand. */
  readonly initiatorPreMessage: readonly Token[];
  /** Public keys the initiator knows of the responder beforehand. */
  readonly responderPreMessage: readonly Token[];
  /** Tokens of each message; senders alternate. */
  readonly messages: readonly (readonly Token[])[];
  /** Whether the initiator writes the first message. False after `fallback` alone, where the pattern is Bob-initiated. */
  readonly initiatorBegins: boolean;
  /** §7.4: after the handshake only the initiator sends. */
  readonly oneWay: boolean;
  /** Number of `psk` tokens; where it is not zero, every `e` is mixed into the key as well (§9.2). */
  readonly pskCount: number;
}

/**
 * Every pattern as [initiator's pre-message, responder's pre-message, messages in turn]. In the names, a `1` defers the
 * authenticating DH of the letter before it to the next message (§7.6).
 */
const patternTable: Readonly<Record<string, readonly [string, string, ...string[]]>> = {
  N: ['', 's', 'e es'],
  K: ['s', 's', 'e es ss'],
  X: ['', 's', 'e es s ss'],

  NN: ['', '', 'e', 'e ee'],
  NK: ['', 's', 'e es', 'e ee'],
  NK1: ['', 's', 'e', 'e ee es'],
  NX: ['', '', 'e', 'e ee s es'],
  NX1: ['', '', 'e', 'e ee s', 'es'],

  KN: ['s', '', 'e', 'e ee se'],
  K1N: ['s', '', 'e', 'e ee', 'se'],
  KK: ['s', 's', 'e es ss', 'e ee se'],
  K1K: ['s', 's', 'e es', 'e ee', 'se'],
  KK1: ['s', 's', 'e', 'e ee se es'],
  K1K1: ['s', 's', 'e', 'e ee es', 'se'],
  KX: ['s', '', 'e', 'e ee se s es'],
  K1X: ['s', '', 'e', 'e ee s es', 'se'],
  KX1: ['s', '', 'e', 'e ee se s', 'es'],
  K1X1: ['s', '', 'e', 'e ee s', 'se es'],

  XN: ['', '', 'e', 'e ee', 's se'],
  X1N: ['', '', 'e', 'e ee', 's', 'se'],
  XK: ['', 's', 'e es', 'e ee', 's se'],
  X1K: ['', 's', 'e es', 'e ee', 's', 'se'],
  XK1: ['', 's', 'e', 'e ee es', 's se'],
  X1K1: ['', 's', 'e', 'e ee es', 's', 'se'],
  XX: ['', '', 'e', 'e ee s es', 's se'],
  X1X: ['', '', 'e', 'e ee s es', 's', 'se'],
  XX1: ['', '', 'e', 'e ee s', 'es s se'],
  X1X1: ['', '', 'e', 'e ee s', 'es s', 'se'],

  IN: ['', '', 'e s', 'e ee se'],
  I1N: ['', '', 'e s', 'e ee', 'se'],
  IK: ['', 's', 'e es s ss', 'e ee se'],
  I1K: ['', 's', 'e es s', 'e ee', 'se'],
  IK1: ['', 's', 'e s', 'e ee se es'],
  I1K1: ['', 's', 'e s', 'e ee es', 'se'],
  IX: ['', '', 'e s', 'e ee se s es'],
  I1X: ['', '', 'e s', 'e ee s es', 'se'],
  IX1: ['', '', 'e s', 'e ee se s', 'es'],
  I1X1: ['', '', 'e s', 'e ee s', 'se es'],
};

/** Names of all patterns without modifiers. */
export const patternNames: readonly string[] = Object.keys(patternTable);

function tokens(text: string): Token[] {
  return text === '' ? [] : (text.split(' ') as Token[]);
}

/**
 * The pattern that a name's second part stands for: `XX`, `IKpsk2`, `XXfallback`, `XXpsk0+psk3` …
 *
 * @throws VedetteError `noise/invalid` for an unknown pattern or a modifier that is unknown, misplaced, repeated or out
 * of order.
 */
export function parsePattern(name: string): HandshakePattern {
  const [, base = '', modifierText = ''] = /^([A-Z0-9]+)([a-z0-9+]*)$/.exec(name) ?? [];
  const row = Object.hasOwn(patternTable, base) ? patternTable[base] : undefined;
  if (row === undefined) throw new VedetteError('noise/invalid', `there is no handshake pattern "${name}"`);
  const [initiatorPre, responderPre, ...messageTexts] = row;
  let initiatorPreMessage = tokens(initiatorPre);
  const responderPreMessage = tokens(responderPre);
  const messages = messageTexts.map(tokens);
  let initiatorBegins = true;
  const modifiers = modifierText === '' ? [] : modifierText.split('+');

  if (modifiers[0] === 'fallback') {
    modifiers.shift();
    // §10.2: the first message becomes a pre-message, which only a message of bare public keys can.
    const first = messages.shift() ?? [];
    if (messages.length === 0 || initiatorPreMessage.length > 0 || first.some((t) => t !== 'e' && t !== 's')) {
      throw new VedetteError('noise/invalid', `the first message of ${base} cannot become a pre-message of ${name}`);
    }
    initiatorPreMessage = first;
    initiatorBegins = false;
  }

  let previousPlace = -1;
  for (const modifier of modifiers) {
    const place = pskPlace(modifier, messages.length);
    if (place === undefined || place <= previousPlace) {
      throw new VedetteError('noise/invalid', `the modifier "${modifier}" does not fit in ${name}`);
    }
    previousPlace = place;
    // §9.4: psk0 opens the first message, pskN closes message N.
    if (place === 0) messages[0]!.unshift('psk');
    else messages[place - 1]!.push('psk');
  }
  return {
    initiatorPreMessage,
    responderPreMessage,
    messages,
    initiatorBegins,
    oneWay: messageTexts.length === 1,
    pskCount: modifiers.length,
  };
}

function pskPlace(modifier: string, messageCount: number): number | undefined {
  const digits = /^psk(\d)$/.exec(modifier)?.[1];
  if (digits === undefined) return undefined;
  const place = Number(digits);
  return place <= messageCount ? place : undefined;
}
