import { nftablesPrologue } from '../adapters/nftables/nftables-lines.ts';
import type { Hierarchy } from '../config/index.ts';

/** What each kind of dry-run switch of this hierarchy would be told once, before its first rule: the story's last lines. */
export function switchSetupLines({ hosts }: Hierarchy): readonly string[] {
  const lines: string[] = [];
  const families = new Set(hosts.flatMap(({ switch: own }) => (own.kind === 'dry-run' ? [own.family] : [])));
  for (const family of families) {
    lines.push(`Once on each server before its first rule (nftables, family ${family})`);
    for (const line of nftablesPrologue({ family })) lines.push(`  ${line}`);
    lines.push('');
  }
  return lines;
}
