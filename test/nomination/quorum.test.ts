import { describe, expect, test } from 'vitest';
import { captureProbability, quorumSizes, seatsMax, toleranceInWords } from '../../src/nomination/quorum.ts';

describe('quorum', () => {
  test('sizes of the usual committees', () => {
    const sizes = [1, 2, 3, 4, 5, 6, 7, 10, 13].map((seats) => {
      const { faults, quorum } = quorumSizes(seats);
      return [seats, faults, quorum];
    });
    expect(sizes).toEqual([
      [1, 0, 1],
      [2, 0, 2],
      [3, 0, 2],
      [4, 1, 3],
      [5, 1, 4],
      [6, 1, 4],
      [7, 2, 5],
      [10, 3, 7],
      [13, 4, 9],
    ]);
  });

  test('two quorums share an honest member, and the honest reach one, at every size', () => {
    for (let seats = 1; seats <= seatsMax; seats += 1) {
      const { faults, quorum } = quorumSizes(seats);
      expect(2 * quorum - seats).toBeGreaterThan(faults);
      expect(seats - faults).toBeGreaterThanOrEqual(quorum);
    }
  });

  test('says what a committee survives', () => {
    expect(toleranceInWords(1)).toMatch(/nothing is tolerated/);
    expect(toleranceInWords(2)).toMatch(/both must be up/);
    expect(toleranceInWords(3)).toMatch(/one may crash; a malicious member is not tolerated/);
    expect(toleranceInWords(4)).toBe('4 members: 1 member may crash or be malicious.');
    expect(toleranceInWords(6)).toBe(
      '6 members: 1 member may crash or be malicious; if none is malicious, 2 may crash.',
    );
    expect(toleranceInWords(7)).toBe('7 members: 2 members may crash or be malicious.');
  });

  test('capture probability: known values of the hypergeometric distribution', () => {
    // P[at least 2 bad of 4 drawn, 5 bad of 100] = 1 − (C(95,4) + 5·C(95,3)) / C(100,4).
    expect(captureProbability(100, 5, 4)).toBeCloseTo(1 - (3_183_545 + 5 * 138_415) / 3_921_225, 12);
    expect(captureProbability(10, 1, 4)).toBe(0);
    expect(captureProbability(4, 2, 4)).toBe(1);
    expect(captureProbability(10, 3, 1)).toBe(0.3);
    // Far smaller than the difference of two numbers near 1 could tell.
    expect(captureProbability(1_000, 20, 43)).toBeGreaterThan(1e-18);
    expect(captureProbability(1_000, 20, 43)).toBeLessThan(1e-17);
    expect(captureProbability(100_000, 10_000, 13)).toBeGreaterThan(captureProbability(100_000, 10_000, 31));
  });

  test('capture probability: by counting every committee of small subsystems', () => {
    for (let members = 4; members <= 9; members += 1) {
      for (let malicious = 0; malicious <= members; malicious += 1) {
        let captured = 0;
        let all = 0;
        for (let drawn = 0; drawn < 2 ** members; drawn += 1) {
          if (ones(drawn) !== 4) continue;
          all += 1;
          if (ones(drawn & (2 ** malicious - 1)) > 1) captured += 1;
        }
        expect(captureProbability(members, malicious, 4)).toBeCloseTo(captured / all, 14);
      }
    }
  });
});

const ones = (bits: number): number => [...bits.toString(2)].filter((bit) => bit === '1').length;
